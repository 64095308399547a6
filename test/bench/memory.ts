import { create, remove } from '../support/guest.ts'
import type { BenchContext } from './context.ts'
import { type Found, memoryOf, processesHere } from './processes.ts'
import type { MemoryRow } from './report.ts'
import { openWorld } from './world.ts'

const VMS = 10
const SERVICES = ['gateway', 'image', 'volume', 'network', 'device', 'instance'].map((name) => `berth-${name}`)

/** Groups in the order they are shown, by the name of the process; what fits none is the bench's own. */
const GROUPS: readonly { readonly group: string; readonly has: (name: string) => boolean }[] = [
  ...SERVICES.map((service) => ({ group: service, has: (name: string) => name === service })),
  { group: 'helpers that run commands', has: (name) => /^berth-\w+-run$/.test(name) },
  { group: 'berth-supervisor', has: (name) => name === 'berth-supervisor' },
  { group: 'shims', has: (name) => name === 'berth-shim' },
  { group: 'not Berth: QEMU', has: (name) => name.startsWith('qemu-system') },
  { group: 'not Berth: dnsmasq', has: (name) => name === 'dnsmasq' },
  { group: 'not Berth: Postgres', has: (name) => name === 'postgres' },
  { group: 'not Berth: NATS', has: (name) => name === 'nats-server' },
]

type Sums = { processes: number; rssBytes: number; pssBytes: number }

/** Memory of every group of processes without a VM, and with ten that are ready. */
export async function benchMemory({ say, signal }: BenchContext): Promise<MemoryRow[]> {
  say('memory: starting a system')
  await using world = await openWorld()
  const before = sums()
  const ids: string[] = []
  while (ids.length < VMS) {
    signal.throwIfAborted()
    const spec = { memoryBytes: 128n << 20n }
    const names = [0, 1].map((index) => `memory-${ids.length + index}`)
    const made = await Promise.all(names.map((name) => create(world.system.api, name, world.image, spec)))
    ids.push(...made.map(({ id }) => id))
    say(`memory: ${ids.length} of ${VMS} VMs are ready`)
  }
  const after = sums()
  await Promise.all(ids.map((id) => remove(world.system.api, id)))
  const groups = GROUPS.map(({ group }) => row(group, before, after, [group]))
  const berths = GROUPS.map(({ group }) => group).filter((group) => !group.startsWith('not Berth'))
  return [...groups, row('Berth, all together', before, after, berths)]
}

function sums(): Map<string, Sums> {
  const found = processesHere()
  return new Map(GROUPS.map(({ group, has }) => [group, sumOf(found.filter(({ name }) => has(name)))]))
}

function sumOf(processes: Found[]): Sums {
  const all = processes.map(({ pid }) => memoryOf(pid))
  const total = (field: 'rssBytes' | 'pssBytes') => all.reduce((sum, one) => sum + one[field], 0)
  return { processes: processes.length, rssBytes: total('rssBytes'), pssBytes: total('pssBytes') }
}

function row(group: string, before: Map<string, Sums>, after: Map<string, Sums>, of: string[]): MemoryRow {
  const pair = (field: keyof Sums): [number, number] => {
    const at = (when: Map<string, Sums>) => of.reduce((sum, name) => sum + (when.get(name)?.[field] ?? 0), 0)
    return [at(before), at(after)]
  }
  return { group, processes: pair('processes'), rssBytes: pair('rssBytes'), pssBytes: pair('pssBytes') }
}
