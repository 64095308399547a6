import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { deadlineExceeded, failedPrecondition, isBerthError, unavailable } from '@berth/errors'
import { atomicWrite, isAlive, type Runner } from '@berth/host'
import type { VmEvent, VmmProcess, VmPlace } from '../domain/machine.ts'
import type { Shims } from '../domain/shims.ts'
import { entriesOf, toVmEvent } from './entry.ts'
import { ask, askOnce } from './exchange.ts'
import { launchFile } from './launch-file.ts'
import { readRing } from './ring.ts'

type Options = {
  runner: Runner
  /** The shim's binary; outside the clone, so that nothing a VM needs goes with it. */
  binary: string
  hostBootId: string
  /** Epoch of the service's lease; a shim refuses a lower one than it has seen. */
  epoch: number
  /** `BERTH_TEST_BOOT_ID`, which a shim takes for the host's boot id as we do. */
  testBootId?: string | undefined
}

/** Longest a shim may take to say `ready`: it has bound sockets, opened taps and started the VMM by then. */
const startMs = 15_000
/** From the VMM's end to the shim's. */
const goneMs = 5_000
/** Longest tail of the console or of the VMM's errors that an error carries. */
const lastWordsBytes = 4096

/** The shims of this host, by the binary `berth-shim` and its socket. */
export function shims({ runner, binary, hostBootId, epoch, testBootId }: Options): Shims {
  const env: Record<string, string> = testBootId ? { BERTH_TEST_BOOT_ID: testBootId } : {}
  const run = async (argv: string[], signal: AbortSignal): Promise<string> =>
    (await runner.run([binary, ...argv], { timeoutMs: startMs, signal, env, okCodes: [0, 1] })).stdout.trim()

  /** What the shim says of its VMM; undefined when that has ended, written down or not yet. @throws Unavailable(`SHIM_UNREACHABLE`) */
  async function status(place: VmPlace, signal: AbortSignal): Promise<VmmProcess | undefined> {
    const answer = await askOnce(socketOf(place), epoch, { case: 'status', value: {} }, signal)
    if (answer?.case !== 'state' || answer.value.vmmPid === 0) return undefined
    const vmm = { pid: answer.value.vmmPid, startTicks: Number(answer.value.vmmStartTicks) }
    return isAlive(vmm) ? vmm : undefined
  }

  const find: Shims['find'] = async (place, signal, { insist = false } = {}) => {
    try {
      const vmm = await status(place, signal)
      if (vmm) return vmm
      // Nobody is told of an end before it is in the journal, or it would pass for a VM that never was.
      await gone(place, signal)
    } catch (error) {
      if (!isUnreachable(error)) throw error
    }
    if (!(await mayLive(place))) return undefined
    const said = await run([insist ? '--replace' : '--adopt', launchPath(place)], signal)
    if (said.startsWith('ready')) return status(place, signal)
    if (!(await mayLive(place))) return undefined
    throw unavailable('SHIM_UNREACHABLE', `a VM without a shim that answers: ${said.slice(0, lastWordsBytes)}`)
  }

  const launch: Shims['launch'] = async (wanted, signal) => {
    await mkdir(wanted.place.runDir, { recursive: true, mode: 0o711 })
    await atomicWrite(launchPath(wanted.place), launchFile(wanted, { epoch, hostBootId }), { mode: 0o600 })
    const said = await run([launchPath(wanted.place)], signal)
    if (!said.startsWith('ready ')) throw failedPrecondition('VMM_FAILED', `the VMM did not start: ${said.slice(0, lastWordsBytes)}`)
  }

  async function* watch(place: VmPlace, after: number, signal: AbortSignal): AsyncGenerator<VmEvent> {
    const from = BigInt(after + 1)
    for await (const answer of ask(socketOf(place), epoch, { case: 'watchJournal', value: { from } }, signal, 0)) {
      const event = answer.case === 'entry' ? toVmEvent(answer.value) : undefined
      if (event) yield event
    }
  }

  const console: Shims['console'] = async function* (place, range, signal) {
    const { offset, tailBytes, follow } = range
    const value = { offset: BigInt(offset), tailBytes: BigInt(tailBytes), follow }
    try {
      for await (const answer of ask(socketOf(place), epoch, { case: 'readConsole', value }, signal, follow ? 0 : undefined)) {
        if (answer.case === 'console') yield { data: answer.value.data, nextOffset: Number(answer.value.nextOffset) }
      }
    } catch (error) {
      if (!isUnreachable(error) || signal.aborted) throw error
      yield* readRing(path.join(place.folder, 'console.log'), range)
    }
  }

  const kill: Shims['kill'] = async (place, signalNumber, signal) => {
    const send = () => askOnce(socketOf(place), epoch, { case: 'signal', value: { signal: signalNumber } }, signal)
    try {
      await send().catch(async (error: unknown) => {
        if (!isUnreachable(error)) throw error
        if (await find(place, signal, { insist: true })) await send()
      })
    } catch (error) {
      if (!(isBerthError(error) && error.reason === 'NO_VMM')) throw error
    }
  }

  /** A shim writes the end down and goes; its socket refuses from then on. */
  const gone: Shims['gone'] = async (place, signal) => {
    const end = performance.now() + goneMs
    for (;;) {
      const answer = await askOnce(socketOf(place), epoch, { case: 'status', value: {} }, signal).catch((error: unknown) => {
        if (isUnreachable(error) && !signal.aborted) return undefined
        throw error
      })
      if (!answer) return
      if (performance.now() > end) throw deadlineExceeded('SHIM_STUCK', `the shim of an ended VM did not go within ${goneMs} ms`)
      await delay(10, undefined, { signal })
    }
  }

  return { launch, find, kill, watch, journal, console, gone }
}

/** Whether a start was written down and no end of it. */
async function mayLive(place: VmPlace): Promise<boolean> {
  const last = (await journal(place, 1)).at(-1)
  return last !== undefined && last.kind !== 'exited'
}

async function journal(place: VmPlace, from: number): Promise<VmEvent[]> {
  try {
    return entriesOf(await readFile(path.join(place.folder, 'journal')), from)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function launchPath(place: VmPlace): string {
  return path.join(place.folder, 'launch.json')
}

function socketOf(place: VmPlace): string {
  return path.join(place.runDir, 'shim.sock')
}

function isUnreachable(error: unknown): boolean {
  return isBerthError(error) && error.reason === 'SHIM_UNREACHABLE'
}
