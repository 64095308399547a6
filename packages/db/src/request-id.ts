import { createHash } from 'node:crypto'
import { invalidArgument } from '@berth/errors'
import { type DescMessage, type MessageShape, toJson } from '@bufbuild/protobuf'
import { databaseOf, noteCall, type Tx } from './database.ts'
import { reach } from './points.ts'

/** What a mutating call made, by id. */
export type Made = { resourceId: string; operationId: string }

export type Request<D extends DescMessage> = {
  caller: { actor: string; project: string }
  /** Full name of the RPC, e.g. `berth.volume.v1.VolumeService/CreateVolume`. */
  method: string
  schema: D
  /** The request as it came. Its `requestId` empty: nothing is remembered. */
  message: MessageShape<D>
}

const nothingYet: Made = { resourceId: '', operationId: '' }

/**
 * Runs `run` once per request id (24 h, per project, actor and method). A repeat with the same body gets the ids that the first made, with
 * `repeated` set; read the current state by them. Repeats at the same time wait for the first one's commit.
 *
 * @param preset the ids that `run` will answer, when the caller makes them: saves a statement
 * @throws InvalidArgument(`REQUEST_ID_REUSED`) for another body
 */
export async function withRequestId<D extends DescMessage>(
  tx: Tx,
  { caller, method, schema, message }: Request<D>,
  run: () => Promise<Made>,
  preset: Made = nothingYet,
): Promise<Made & { repeated: boolean }> {
  noteCall(tx)
  await reach('call.before')
  const requestId = 'requestId' in message && typeof message.requestId === 'string' ? message.requestId : ''
  if (requestId === '') return { ...(await run()), repeated: false }
  const { requestIds } = databaseOf(tx).rows
  const key = { project: caller.project, actor: caller.actor, method, requestId }
  const bodyHash = hashOf(toJson(schema, message))
  const first = await requestIds.insert(tx, { ...key, bodyHash, ...preset }, { orNothing: true })
  if (first.length > 0) {
    const made = await run()
    if (made.resourceId !== preset.resourceId || made.operationId !== preset.operationId) await requestIds.update(tx, made, key)
    return { ...made, repeated: false }
  }
  const [known] = await requestIds.select(tx, key)
  if (known?.bodyHash !== bodyHash)
    throw invalidArgument('REQUEST_ID_REUSED', 'request_id was used with another request', { field: 'request_id' })
  return { resourceId: known.resourceId, operationId: known.operationId, repeated: true }
}

/** Keys sorted, so that the order of map entries on the wire does not matter. */
function hashOf(value: unknown): string {
  return createHash('sha256')
    .update(
      JSON.stringify(value, (_, inner: unknown) => (isObject(inner) ? Object.fromEntries(Object.entries(inner).toSorted(byKey)) : inner)),
    )
    .digest('base64url')
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
