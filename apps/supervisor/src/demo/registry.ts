import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@berth/telemetry'
import { keepAlive } from '../system/child.ts'

const FIRST_CHOICE = 7050

/** Where the demonstration's registry will listen: a fixed loopback port, or a free one when that is taken. */
export async function registryPort(offset: number): Promise<number> {
  return (await tryPort(FIRST_CHOICE + offset)) ?? (await tryPort(0)) ?? FIRST_CHOICE
}

/** A registry on the loopback for the demonstration's own image; it ends with this process. */
export async function startRegistry(options: {
  readonly home: string
  readonly dataDir: string
  readonly port: number
  readonly env: NodeJS.ProcessEnv
  readonly logger: Logger
}) {
  const folder = path.join(options.dataDir, 'demo')
  mkdirSync(path.join(folder, 'registry'), { recursive: true })
  const file = path.join(folder, 'registry.yml')
  const storage = JSON.stringify(path.join(folder, 'registry'))
  writeFileSync(
    file,
    `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${storage}}, delete: {enabled: true}}\nhttp: {addr: '127.0.0.1:${options.port}'}\n`,
  )
  const binary = path.join(options.home, '.berth/bin/docker-registry')
  const child = keepAlive({
    name: 'registry',
    argv: [existsSync(binary) ? binary : 'docker-registry', 'serve', file],
    env: { PATH: options.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
    logFile: path.join(options.dataDir, 'logs/registry.log'),
    logger: options.logger,
  })
  const url = `http://127.0.0.1:${options.port}`
  for (const deadline = Date.now() + 10_000; ; await delay(20)) {
    const answers = await fetch(`${url}/v2/`).then(
      (answer) => answer.ok,
      () => false,
    )
    if (answers) break
    if (Date.now() > deadline) throw new Error(`the registry did not come up; see ${path.join(options.dataDir, 'logs/registry.log')}`)
  }
  return { url, host: `127.0.0.1:${options.port}`, [Symbol.asyncDispose]: () => child.stop(2000) }
}

async function tryPort(port: number): Promise<number | undefined> {
  const server = net.createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' && address ? address.port : undefined
  } catch {
    return undefined
  } finally {
    server.close()
  }
}
