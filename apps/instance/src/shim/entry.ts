import { type JournalEntry, JournalEntrySchema } from '@berth/proto/berth/shim/v1/shim_pb.ts'
import { fromBinary } from '@bufbuild/protobuf'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { VmEvent } from '../domain/machine.ts'
import { printable } from '../domain/printable.ts'
import { framesOf } from './frames.ts'

/** Entries of a journal's bytes from `from` on; those this version does not know are left out. */
export function entriesOf(bytes: Buffer, from: number): VmEvent[] {
  return framesOf(bytes)
    .map((message) => toVmEvent(fromBinary(JournalEntrySchema, message)))
    .filter((event) => event !== undefined)
    .filter(({ seq }) => seq >= from)
}

/** The domain's form of a journal entry; undefined when it is of a kind that a newer shim writes. */
export function toVmEvent(entry: JournalEntry): VmEvent | undefined {
  const base = { seq: Number(entry.seq), timeMs: entry.time ? timestampMs(entry.time) : 0 }
  const { event } = entry
  switch (event.case) {
    case 'started':
      return {
        ...base,
        kind: 'started',
        pid: event.value.pid,
        startTicks: Number(event.value.startTicks),
        hostBootId: event.value.hostBootId,
      }
    case 'reset':
    case 'panicked':
    case 'continued':
    case 'paused':
    case 'resumed':
      return { ...base, kind: event.case }
    case 'poweredOff':
      return { ...base, kind: 'powered-off' }
    case 'stopped':
      return { ...base, kind: 'held', signal: event.value.signal }
    case 'adopted':
      return { ...base, kind: 'adopted', shimPid: event.value.shimPid }
    case 'exited': {
      const { known, code, signal, outOfMemory, startFailed, stderrTail } = event.value
      return { ...base, kind: 'exited', known, code, signal, outOfMemory, startFailed, message: printable(stderrTail) }
    }
    default:
      return undefined
  }
}
