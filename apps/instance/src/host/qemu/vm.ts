import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { type BerthError, deadlineExceeded, failedPrecondition, isBerthError } from '@berth/errors'
import { isAlive } from '@berth/host'
import type { VmmProcess, VmPlace } from '../../domain/machine.ts'
import type { Agent, Vm, VmState } from '../../domain/ports.ts'
import type { Shims } from '../../domain/shims.ts'
import { lossesOf, socketsLoss } from '../losses.ts'
import { monitorPath } from './arguments.ts'
import { openQmp, type Qmp, type QmpEvent } from './qmp.ts'
import { openSessionPort, portId, removeSessionPort, type SessionPort, sessionNumbers } from './session-port.ts'

/** Makes an agent's session of a byte stream into the guest; answers when the agent has answered. */
export type AgentDialer = (stream: Duplex, signal: AbortSignal) => Promise<Agent>

export type QemuVmOptions = { place: VmPlace; process: VmmProcess; shims: Shims; dialAgent: AgentDialer }

const sigKill = 9
/** A killed VMM has this long to be gone, its shim to have written it down. */
const endMs = 10_000
/** From the end of a VMM's sockets to its own. */
const goingMs = 1_000
/** QEMU holds a character device some 55 ms after its port is gone; a guest that does not let go is asked again, seldom. */
const removalMs = [100, 200, 400, 1_000, 5_000, 30_000]

/** A living QEMU: its monitor for power and session ports, its shim for signals and the journal. */
export function qemuVm({ place, process, shims, dialAgent }: QemuVmOptions): Vm {
  let monitor: Promise<Qmp> | undefined
  let lastNumber = 0
  const ports = new Map<string, SessionPort>()
  const released = new AbortController()

  /** The monitor, opened again when it was lost; stale ports of a service that died go first. */
  async function qmp(): Promise<Qmp> {
    const open = await monitor?.catch(() => undefined)
    if (open && !open.closed) return open
    monitor = reopen()
    return monitor
  }

  async function reopen(): Promise<Qmp> {
    const fresh = await openQmp(monitorPath(place), { onEvent: hear })
    const stale = await sessionNumbers(fresh)
    lastNumber = Math.max(lastNumber, ...stale)
    for (const number of stale) void removeLater(fresh, `${number}`)
    return fresh
  }

  /** A port has no end of file: that the guest closed it, or was reset, is only told here. */
  function hear({ event, data }: QmpEvent): void {
    if (event === 'VSERPORT_CHANGE' && data?.['open'] === false) ports.get(String(data['id']))?.close()
  }

  async function removeLater(on: Qmp, number: string): Promise<void> {
    for (const waitMs of removalMs) {
      try {
        if (on.closed || (await removeSessionPort(on, number))) return
        await delay(waitMs, undefined, { signal: released.signal })
      } catch {
        // The monitor or this handle is gone; whoever opens the next monitor finds the port.
        return
      }
    }
  }

  async function agent(signal: AbortSignal): Promise<Agent> {
    const on = await qmp()
    const number = `${++lastNumber}`
    const left = (): void => {
      ports.delete(portId(number))
      void removeLater(on, number)
    }
    const port = await openSessionPort(number, { qmp: on, runDir: place.runDir, uid: place.uid, signal, left })
    ports.set(portId(number), port)
    try {
      return await dialAgent(port.socket, signal)
    } catch (error) {
      port.close()
      throw error
    }
  }

  async function state(): Promise<VmState> {
    const { status } = (await (await qmp()).execute('query-status')) as { status: string }
    if (status === 'prelaunch') return 'created'
    if (status === 'running') return 'running'
    return status === 'shutdown' || status === 'guest-panicked' ? 'shutdown' : 'paused'
  }

  async function kill(signal: AbortSignal): Promise<void> {
    await shims.kill(place, sigKill, signal)
    const end = performance.now() + endMs
    while (isAlive(process)) {
      if (performance.now() > end) throw deadlineExceeded('VMM_STUCK', `the VMM did not end within ${endMs} ms of SIGKILL`)
      await delay(5, undefined, { signal })
    }
  }

  return {
    place,
    process,
    state,
    agent,
    kill,
    async boot(signal) {
      try {
        if ((await state()) === 'created') await (await qmp()).execute('cont')
      } catch (error) {
        // What it could not do it says as it goes, which its monitor tells first.
        if (!isUnreachable(error) || !(await hasEnded(process, signal))) throw error
        await shims.gone(place, signal)
        throw await endedAtOnce(shims, place)
      }
    },
    async powerButton() {
      try {
        await (await qmp()).execute('system_powerdown')
      } catch (error) {
        // Gone already: what was wanted.
        if (!isUnreachable(error) || isAlive(process)) throw error
      }
    },
    losses: async () => [...(await lossesOf(place, process)), ...(await socketsLoss(monitorPath(place)))],
    watch: (after, signal) => shims.watch(place, after, signal),
    release() {
      released.abort()
      void monitor?.then((open) => open.close()).catch(() => {})
    },
  }
}

/** What a VMM that has ended said last. */
export async function endedAtOnce(shims: Shims, place: VmPlace): Promise<BerthError> {
  const last = (await shims.journal(place, 1)).at(-1)
  const said = last?.kind === 'exited' && last.message.trim() !== '' ? last.message.trim() : 'nothing is known of why'
  return failedPrecondition('VMM_FAILED', `QEMU ended at once: ${said}`)
}

function isUnreachable(error: unknown): boolean {
  return isBerthError(error) && error.reason === 'VMM_UNREACHABLE'
}

/** Whether a process that has let go of its sockets is gone, or goes within a moment. */
async function hasEnded(process: VmmProcess, signal: AbortSignal): Promise<boolean> {
  const end = performance.now() + goingMs
  while (isAlive(process)) {
    if (performance.now() > end) return false
    await delay(5, undefined, { signal })
  }
  return true
}
