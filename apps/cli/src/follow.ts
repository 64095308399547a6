import { type Operation, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { Api } from './api.ts'
import { Exit } from './exit.ts'
import { formatBytes, formatMs } from './output/format.ts'
import { enumName } from './output/views.ts'

/** Where progress goes: one line that is written over on a terminal, plain lines elsewhere. */
export interface ProgressSink {
  update(text: string): void
  done(text: string): void
}

export function progressSink(stderr: NodeJS.WriteStream, quiet: boolean): ProgressSink {
  if (quiet) return { update: () => undefined, done: () => undefined }
  if (!stderr.isTTY) return { update: () => undefined, done: (text) => void stderr.write(`${text}\n`) }
  return {
    update: (text) => void stderr.write(`\r\x1b[K${text}`),
    done: (text) => void stderr.write(`\r\x1b[K${text}\n`),
  }
}

/**
 * Follows an operation to its end and shows its stages as they happen.
 *
 * @param options.timeoutMs gives up after so long; 0 waits for ever
 * @returns the operation when it is DONE
 * @throws Exit 68 when the time is over, 1-and-64-based codes with the operation's own error when it FAILED or was CANCELLED
 */
export async function followOperation(
  api: Api,
  operation: Operation,
  options: { readonly sink: ProgressSink; readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<Operation> {
  const limit = options.timeoutMs ? AbortSignal.timeout(options.timeoutMs) : undefined
  const signal = AbortSignal.any([options.signal, ...(limit ? [limit] : [])])
  let shown = 0
  let last = operation
  try {
    for await (const answer of api.operations.watchOperation({ id: operation.id }, { signal })) {
      if (!answer.operation) continue
      last = answer.operation
      shown = showStages(last, shown, options.sink)
      if (last.endTime) break
    }
  } catch (error) {
    if (limit?.aborted) throw new Exit(68, `operation ${operation.id} goes on; it had not ended in time`)
    throw error
  }
  return ended(last)
}

function ended(operation: Operation): Operation {
  if (operation.state === OperationState.DONE) return operation
  const error = operation.error
  const state = enumName(OperationState, operation.state).toLowerCase()
  throw new Exit(64 + (error?.code || 1), `${operation.kind} ${operation.resourceName} ${state}: ${error?.message || 'no reason given'}`)
}

function showStages(operation: Operation, shown: number, sink: ProgressSink): number {
  const finished = operation.stages.filter((stage) => stage.endTime)
  for (const stage of finished.slice(shown)) sink.done(`  ${stage.stage.padEnd(8)} ${stageTime(stage)}`)
  const progress = operation.progress
  if (!operation.endTime && progress?.stage) sink.update(`  ${progress.stage.padEnd(8)} ${amount(progress)}`)
  return Math.max(shown, finished.length)
}

function stageTime(stage: Operation['stages'][number]): string {
  if (!stage.startTime || !stage.endTime) return ''
  return formatMs(timestampMs(stage.endTime) - timestampMs(stage.startTime))
}

function amount(progress: NonNullable<Operation['progress']>): string {
  if (progress.unit === 'position') return `${progress.done} in the queue`
  if (progress.unit === 'bytes')
    return progress.total ? `${formatBytes(progress.done)} of ${formatBytes(progress.total)}` : formatBytes(progress.done)
  return progress.total ? `${progress.done}/${progress.total}` : ''
}
