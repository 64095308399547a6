import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { failedPrecondition } from '@berth/errors'
import type { Machine, VmEvent, VmPlace } from '../../domain/machine.ts'
import { type Folders, shortName } from '../../domain/place.ts'
import type { FoundVm, Hypervisor, Vm, VmState } from '../../domain/ports.ts'
import { discard } from '../discard.ts'
import { found } from '../found.ts'
import { folderLoss } from '../losses.ts'
import { paperAgent } from './agent.ts'
import { openPaperTrail, type PaperTrail } from './paper-trail.ts'

export type RecorderOptions = {
  /** File of the paper trail; VMs live as long as it says so, whoever reads it. */
  file: string
  hostBootId: string
  folders: Folders
}

/** Above the highest pid a kernel gives, so that nobody mistakes one for a process. */
const firstPid = 4_194_305

const facts = {
  name: 'recorder',
  version: '1',
  accelerator: 'none',
  acceleratorReason: 'VMs exist on paper only',
  capabilities: ['boot', 'shutdown', 'kill', 'console', 'exec'],
  maxVcpus: 1024,
}

export type Recorder = Hypervisor & {
  /** Lets something happen to a living VM, as the host or the guest would. */
  happen(instanceId: string, event: Parameters<PaperTrail['append']>[1]): void
}

/** A hypervisor that only writes down what it is asked for: boots at once, costs nothing, and cannot hide a second start. */
export function recorderHypervisor({ file, hostBootId, folders }: RecorderOptions): Recorder {
  const trail = openPaperTrail(file)
  const booted = new Set<string>()

  async function attach(place: VmPlace): Promise<Vm | undefined> {
    const started = livingStart(trail.events(place.instanceId))
    if (!started) return undefined
    if (started.hostBootId === hostBootId) return vm(place, started)
    trail.append(place.instanceId, exited({ known: false }))
    return undefined
  }

  async function start(machine: Machine): Promise<Vm> {
    const running = await attach(machine)
    if (running) return running
    if (machine.kernelCommandLine.includes('berth.fail')) throw failedPrecondition('VMM_FAILED', 'it was asked to fail')
    const pid = firstPid + machine.uid
    trail.append(machine.instanceId, { kind: 'started', pid, startTicks: Date.now(), hostBootId })
    return (await attach(machine)) as Vm
  }

  function vm(place: VmPlace, { pid, startTicks }: { pid: number; startTicks: number }): Vm {
    const id = place.instanceId
    const end = (events: Parameters<PaperTrail['append']>[1][]): void => {
      if (livingStart(trail.events(id))) for (const event of events) trail.append(id, event)
    }
    const powerOff = (): void => end([{ kind: 'powered-off' }, exited({})])
    return {
      place,
      process: { pid, startTicks },
      state: () => Promise.resolve<VmState>(booted.has(id) ? 'running' : 'created'),
      boot: () => Promise.resolve(void booted.add(id)),
      powerButton: () => Promise.resolve(powerOff()),
      kill: () => Promise.resolve(end([exited({ signal: 9 })])),
      watch: (after, signal) => follow(trail, id, after, signal),
      agent: () => Promise.resolve(paperAgent({ instanceId: id, bootId: randomUUID(), powerOff, ended: untilEnd(trail, id) })),
      losses: () => folderLoss(place),
      release: () => {},
    }
  }

  return {
    name: 'recorder',
    facts: () => Promise.resolve(facts),
    attach,
    start,
    events: (place, from) => Promise.resolve(trail.events(place.instanceId).filter(({ seq }) => seq >= from)),
    async *console() {
      yield { data: Buffer.from('paper\n'), nextOffset: 6 }
    },
    clear: ({ runDir }) => rm(runDir, { recursive: true, force: true }),
    async found() {
      const living = trail.instances().filter((id) => livingStart(trail.events(id)))
      return [...(await found(folders)), ...living.map(asFound)]
    },
    async discard(one, signal) {
      const id = trail.instances().find((instanceId) => asFound(instanceId).name === one.name)
      if (id === undefined) await discard(one, signal)
      else if (livingStart(trail.events(id))) trail.append(id, exited({ signal: 9 }))
    },
    happen: (instanceId, event) => void trail.append(instanceId, event),
  }
}

function asFound(instanceId: string): FoundVm {
  return { kind: 'process', name: `paper ${instanceId}`, short: shortName(instanceId) }
}

function exited(how: { known?: boolean; signal?: number }): Parameters<PaperTrail['append']>[1] {
  const { known = true, signal = 0 } = how
  return { kind: 'exited', known, code: 0, signal, outOfMemory: false, startFailed: false, message: '' }
}

function livingStart(events: readonly VmEvent[]): Extract<VmEvent, { kind: 'started' }> | undefined {
  const last = events.findLast(({ kind }) => kind === 'started' || kind === 'exited')
  return last?.kind === 'started' ? last : undefined
}

async function* follow(trail: PaperTrail, id: string, after: number, signal: AbortSignal): AsyncGenerator<VmEvent> {
  for (let seen = after; !signal.aborted; ) {
    const changed = Promise.withResolvers<void>()
    const end = trail.listen(id, changed.resolve)
    const abort = (): void => changed.resolve()
    signal.addEventListener('abort', abort, { once: true })
    try {
      const [next] = trail.events(id).slice(seen)
      if (next) {
        seen = next.seq
        yield next
      } else if (livingStart(trail.events(id))) await changed.promise
      else return
    } finally {
      signal.removeEventListener('abort', abort)
      end()
    }
  }
}

async function untilEnd(trail: PaperTrail, id: string): Promise<void> {
  if (!livingStart(trail.events(id))) return
  const ended = Promise.withResolvers<void>()
  const end = trail.listen(id, () => {
    if (!livingStart(trail.events(id))) ended.resolve()
  })
  await ended.promise
  end()
}
