import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import path from 'node:path'
import type { Agent } from '../../apps/instance/src/domain/ports.ts'
import { dialAgent } from '../../apps/instance/src/guest/session.ts'
import { create, remove } from '../support/guest.ts'
import { partsOf, type RivalParts, rivalOptions } from './command-line.ts'
import { must } from './namespace.ts'
import type { World } from './world.ts'

const BINARY = '/usr/bin/qemu-system-x86_64'
const BRIDGE = 'benchbr0'
const TAP = 'benchtap0'

/** The same VM, started by hand: the disks lie there, the tap is up in a bridge of its own, and somebody waits for the agent. */
export interface Rival extends Disposable {
  /** Starts it and waits until its agent has answered GetInfo, over a session port that is there from the start. */
  start(signal: AbortSignal): Promise<RivalVm>
}

export interface RivalVm {
  /** From before the process was made to the agent's answer. */
  readonly readyMs: number
  readonly agent: Agent
  stop(): Promise<void>
}

/** Prepares a rival to the VMs of a system: takes what they are made of from one of them. */
export async function prepareRival({ system, image }: World): Promise<Rival> {
  using stack = new DisposableStack()
  const folder = mkdtempSync('/var/tmp/berth-bench-')
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  makeTap()
  stack.defer(() => [TAP, BRIDGE].forEach((link) => must(['ip', 'link', 'del', 'dev', link])))
  const { parts, scratchBytes } = await patternOf({ system, image }, folder)
  const template = path.join(system.dataDir, 'volume/default/templates')
  const [templateName = ''] = readdirSync(template)
  let count = 0
  const kept = stack.move()
  return {
    async start(signal) {
      count += 1
      const run = path.join(folder, `${count}`)
      mkdirSync(run)
      const scratch = path.join(run, 'scratch')
      must(['cp', '--sparse=always', path.join(template, templateName), scratch])
      must(['truncate', '-s', String(scratchBytes), scratch])
      return startVm({ ...parts, scratch, tap: TAP, run }, signal)
    },
    [Symbol.dispose]: () => kept.dispose(),
  }
}

async function patternOf({ system, image }: Pick<World, 'system' | 'image'>, folder: string) {
  const { id, spec } = await create(system.api, 'pattern', image)
  const launch = JSON.parse(readFileSync(path.join(system.dataDir, 'instance', id, 'launch.json'), 'utf8')) as { argv: string[] }
  const parts = partsOf(launch.argv)
  const config = path.join(folder, 'config.erofs')
  copyFileSync(parts.config, config)
  await remove(system.api, id)
  return { parts: { ...parts, config }, scratchBytes: Number(spec?.scratchBytes) }
}

function makeTap(): void {
  must(['ip', 'link', 'add', 'name', BRIDGE, 'type', 'bridge'])
  must(['ip', 'tuntap', 'add', 'dev', TAP, 'mode', 'tap'])
  must(['ip', 'link', 'set', 'dev', TAP, 'master', BRIDGE, 'up'])
  must(['ip', 'link', 'set', 'dev', BRIDGE, 'up'])
}

async function startVm(parts: RivalParts, signal: AbortSignal): Promise<RivalVm> {
  const server = createServer().listen(path.join(parts.run, 'session.sock'))
  await once(server, 'listening')
  const words = rivalOptions(parts).flatMap(([name, value]) => (value === '' ? [name] : [name, value]))
  const start = performance.now()
  const child = spawn(BINARY, words, { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await exited
    server.close()
    rmSync(parts.run, { recursive: true, force: true })
  }
  try {
    const agent = await dialAgent(await connection(server, child), signal)
    return { readyMs: performance.now() - start, agent, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** QEMU connects when it makes the session's port. */
function connection(server: Server, child: ChildProcess): Promise<Socket> {
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  return new Promise((resolve, reject) => {
    server.once('connection', resolve)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`QEMU ended with ${code}: ${said}`)))
  })
}
