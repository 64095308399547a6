import type { Logger } from '@berth/telemetry'
import { codeToString } from '@connectrpc/connect/protocol-connect'
import { Code } from '@connectrpc/connect'
import type { CallRecord } from './pipeline.ts'

/** Told of every call that ended; `code` is `ok` or Connect's name of the code, e.g. `not_found`. */
export type ObserveCall = (call: { service: string; method: string; code: string; durationMs: number }) => void

/** Writes calls to the log: what was a mistake of ours as an error with its text, all others for debugging. */
export function callRecord(logger: Logger, observe?: ObserveCall): CallRecord {
  return ({ method, requestId, durationMs, sent, error }) => {
    const code = sent ? codeToString(sent.code) : 'ok'
    observe?.({ service: method.parent.typeName, method: method.name, code, durationMs })
    const line = { rpc: `${method.parent.typeName}/${method.name}`, code, requestId, durationMs: Math.round(durationMs * 10) / 10 }
    if (sent && (sent.code === Code.Internal || sent.code === Code.DataLoss)) logger.error({ ...line, err: error }, 'call failed')
    else logger.debug(sent ? { ...line, reason: sent.rawMessage } : line, 'call ended')
  }
}
