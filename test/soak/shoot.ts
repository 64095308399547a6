import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { killProcess, type ProcessIdentity, processIdentity } from '@berth/host'
import type { TestSystem } from '../support/system.ts'
import type { Guest } from './places.ts'
import { SERVICES, type Shot } from './plan.ts'

export interface Range {
  readonly system: TestSystem
  /** The VM of each place. */
  readonly guests: Guest[]
  readonly say: (text: string) => void
}

/** Shoots once. What answers heals what would not heal by itself, or waits for the end of a pause. */
export async function shoot(shot: Shot, range: Range): Promise<() => Promise<void>> {
  const { system, say } = range
  switch (shot.kind) {
    case 'kill-service':
      kill(service(system, shot.target), shot.target, say)
      return async () => {}
    case 'pause-service':
      return pause(service(system, shot.target), shot, say)
    case 'kill-supervisor':
      kill(service(system, 'supervisor'), 'supervisor', say)
      return () => system.start()
    case 'kill-postgres':
      kill(postgres(system), 'Postgres', say)
      return async () => {}
    case 'kill-nats':
      kill(nats(system), 'NATS', say)
      return async () => {}
    case 'kill-everything':
      // Found first and then shot together: what loses its supervisor ends by itself soon.
      for (const [name, identity] of everything(system)) kill(identity, name, say)
      return () => system.start()
    case 'flush-rules':
      command(['nft', 'flush', 'ruleset'], say)
      return async () => {}
    case 'delete-bridge':
      for (const name of links('bridge')) command(['ip', 'link', 'delete', name], say)
      return async () => {}
    case 'delete-tap':
      for (const name of tapsOf(range.guests[Number(shot.target)])) command(['ip', 'link', 'delete', name], say)
      return async () => {}
    case 'kill-vmm':
      kill(range.guests[Number(shot.target)]?.vmm, `the VMM of place ${shot.target}`, say)
      return async () => {}
  }
}

/** A process that is not there at this moment has been shot a moment ago. */
function found(look: () => number): ProcessIdentity | undefined {
  try {
    return processIdentity(look())
  } catch {
    return undefined
  }
}

const service = (system: TestSystem, name: string) => found(() => system.pid(name))

function everything(system: TestSystem): [string, ProcessIdentity | undefined][] {
  const own = ['supervisor', ...SERVICES].map((name): [string, ProcessIdentity | undefined] => [name, service(system, name)])
  return [...own, ['Postgres', postgres(system)], ['NATS', nats(system)]]
}

function kill(identity: ProcessIdentity | undefined, name: string, say: Range['say']): void {
  const hit = identity !== undefined && killProcess(identity, 'SIGKILL')
  say(hit ? `  kill -9 ${name} (${identity.pid})` : `  ${name} is down already`)
}

function pause(identity: ProcessIdentity | undefined, { target, forMs }: Shot, say: Range['say']): () => Promise<void> {
  const hit = identity !== undefined && killProcess(identity, 'SIGSTOP')
  say(hit ? `  SIGSTOP ${target} (${identity.pid})` : `  ${target} is down already`)
  const paused = delay(forMs).then(() => {
    if (hit && killProcess(identity, 'SIGCONT')) say(`  SIGCONT ${target} (${identity.pid})`)
  })
  return () => paused
}

function postgres({ dataDir }: TestSystem): ProcessIdentity | undefined {
  return found(() => Number(readFileSync(path.join(dataDir, 'postgres/db/postmaster.pid'), 'utf8').split('\n')[0]))
}

function nats({ dataDir }: TestSystem): ProcessIdentity | undefined {
  const state = () => JSON.parse(readFileSync(path.join(dataDir, 'nats/state.json'), 'utf8')) as { identity: ProcessIdentity }
  return found(() => state().identity.pid)
}

/** The links of one kind in the namespace of this run, which holds nothing else. */
function links(kind: 'bridge' | 'tun'): string[] {
  const { stdout } = spawnSync('ip', ['-j', 'link', 'show', 'type', kind], { encoding: 'utf8' })
  return (JSON.parse(stdout || '[]') as { ifname?: string }[]).flatMap(({ ifname }) => ifname ?? [])
}

/** The taps that a VMM holds, by what the kernel says of its descriptors. */
function tapsOf(guest: Guest | undefined): string[] {
  const known = links('tun')
  const { stdout } = spawnSync('grep', ['-h', '^iff:', '-r', `/proc/${guest?.vmm.pid}/fdinfo`], { encoding: 'utf8' })
  return stdout
    .split('\n')
    .map((line) => line.replace(/^iff:\s*/, '').trim())
    .filter((name) => known.includes(name))
}

function command(argv: readonly string[], say: Range['say']): void {
  const { status, stderr } = spawnSync(argv[0] ?? '', argv.slice(1), { encoding: 'utf8' })
  say(`  ${argv.join(' ')}${status === 0 ? '' : `: ${stderr.trim()}`}`)
}
