import { defineSteps } from '@berth/controller'
import type { Configuration } from '../domain/config.ts'
import { isDigest } from '../domain/digest.ts'
import type { Resolved } from '../domain/ports.ts'
import { parseReference } from '../domain/reference.ts'
import { cancelledByRequest, PARTS, type Work } from './work.ts'

const step = defineSteps('image.pull', ['resolve', 'record', 'download', 'convert', 'publish'])

/**
 * Pulls an image: resolve → record → download → convert → publish → record. Every step finds what an earlier try left, by digest.
 * A copy that is ready already is only asked whether its reference still leads to the same digest.
 */
export async function pullImage(work: Work): Promise<void> {
  const { db, library, outcomes, operations, row, copy, pulls, ctx } = work
  const { signal, lease } = ctx
  const tell = (stage: string, done: number, total: number, unit: string) => {
    for (const { id } of pulls) operations.progress(id, { stage, done, total, unit })
  }
  const reference = parseReference(row.extra.reference)
  // The first pull's digest is fixed for good; only a copy that is ready asks where its tag leads now.
  const known = copy.state === 'PENDING' && isDigest(row.status.digest) ? row.status.digest : undefined

  tell('RESOLVE', 0, 0, '')
  const found = await step('resolve', signal, () => library.resolve(reference, known, signal))
  const resolved: Resolved = known === undefined ? found : { ...found, indexDigest: indexDigestOf(work, found) }
  if (copy.state === 'READY' && copy.digest === resolved.digest) return finishUnchanged(work)
  await step('record', signal, () =>
    library.exclusively(PARTS, signal, () =>
      db.transaction('image.resolved', async (tx) => {
        for (const { id } of pulls) await operations.begin(tx, id)
        await outcomes.recordResolved(tx, lease, row, resolved)
      }),
    ),
  )

  const configuration: Configuration = await step('download', signal, () =>
    library.download(reference, resolved, (done, total) => tell('PULL', done, total, 'bytes'), signal),
  )
  const rootSizeBytes = await library.exclusively(`root ${resolved.digest}`, signal, async () => {
    tell('CONVERT', 0, resolved.manifest.layers.length, 'steps')
    const onLayer = (done: number, total: number) => tell('CONVERT', done, total, 'steps')
    await step('convert', signal, () => library.convert(resolved, configuration, onLayer, signal))
    return step('publish', signal, () => library.publish(resolved.digest, signal))
  })
  // What failed after this could no longer fail the pull: it is the last step and has no name.
  await db.transaction('image.ready', async (tx) => {
    await outcomes.recordReady(tx, lease, row, { resolved, run: configuration.run, rootSizeBytes })
    await finish(work, tx)
  })
}

function indexDigestOf({ row }: Work, found: Resolved): Resolved['indexDigest'] {
  return isDigest(row.status.indexDigest) ? row.status.indexDigest : found.digest
}

function finishUnchanged(work: Work): Promise<void> {
  return work.db.transaction('image.unchanged', (tx) => finish(work, tx))
}

/** Who cancelled while somebody else asked for the same pull gets the cancellation all the same. */
async function finish({ operations, pulls }: Work, tx: Parameters<Work['operations']['finish']>[0]): Promise<void> {
  for (const { id, cancelRequested } of pulls) {
    if (cancelRequested) await operations.finish(tx, id, 'CANCELLED', cancelledByRequest())
    else await operations.finish(tx, id, 'DONE')
  }
}
