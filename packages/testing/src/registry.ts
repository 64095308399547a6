import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** A real registry on the loopback, with storage of its own. */
export interface TestRegistry {
  /** `127.0.0.1:<port>`, as it stands in an image reference. */
  host: string
  /** `http://127.0.0.1:<port>`. */
  url: string
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts docker-registry on a free port; ends and removes everything of it on dispose, and ends with this process in any case. */
export async function startRegistry(): Promise<TestRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-registry-'))
  const host = `127.0.0.1:${await freePort()}`
  const config = join(folder, 'config.yml')
  await writeFile(config, configuration(host, join(folder, 'storage')))
  const env = { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: 'none' }
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', registryBinary(), 'serve', config], { env, stdio: 'ignore' })
  const url = `http://${host}`
  const dispose = async () => {
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    child.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await untilReady(url, () => child.exitCode !== null)
  } catch (error) {
    await dispose()
    throw error
  }
  return { host, url, [Symbol.asyncDispose]: dispose }
}

const configuration = (host: string, storage: string) =>
  `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${storage}}, delete: {enabled: true}}\nhttp: {addr: '${host}'}\n`

function registryBinary(): string {
  const home = resolve(import.meta.dirname, '../../..')
  const candidates = ['.berth/bin/docker-registry', '.berth/debian/usr/bin/docker-registry'].map((path) => join(home, path))
  return candidates.find((path) => existsSync(path)) ?? 'docker-registry'
}

async function untilReady(url: string, ended: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; ; await delay(10)) {
    const answered = await fetch(`${url}/v2/`).then(
      (response) => response.ok,
      () => false,
    )
    if (answered) return
    if (ended() || Date.now() > deadline) throw new Error('the test registry did not come up')
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
