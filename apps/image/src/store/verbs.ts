import { accept, openOperation, operationById, operationMessage, type Request, type Tx, withRequestId } from '@berth/db'
import { failedPrecondition } from '@berth/errors'
import {
  DeleteImageRequestSchema,
  type DeleteImageRequest,
  type Image,
  PullImageRequestSchema,
  type PullImageRequest,
} from '@berth/proto/berth/image/v1/image_pb.ts'
import type { Operation } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { imageOf, pullOf, wantCopy } from './demand.ts'
import { holdsOn } from './holds.ts'
import type { ImageRow, ImageStore } from './images.ts'

export interface Caller {
  actor: string
  project: string
}

export interface AcceptedImage {
  /** Undefined when a repeated call finds it gone. */
  image: Image | undefined
  operation: Operation | undefined
}

/** The mutating calls of the public API. */
export function imageVerbs(store: ImageStore, host: string) {
  const { db } = store

  async function answer(tx: Tx, project: string, made: { resourceId: string; operationId: string }): Promise<AcceptedImage> {
    const row = await store.byId(made.resourceId, tx)
    const operation = made.operationId === '' ? undefined : await operationById(db, project, made.operationId, tx)
    return { image: row && store.toMessage(row), operation: operation && operationMessage(operation) }
  }

  return {
    pull: (caller: Caller, message: PullImageRequest): Promise<AcceptedImage> =>
      db.transaction('image.pull', async (tx) => {
        const method = 'berth.image.v1.ImageService/PullImage'
        const request: Request<typeof PullImageRequestSchema> = { caller, method, schema: PullImageRequestSchema, message }
        const made = await withRequestId(tx, request, async () => {
          const { name, labels, reference: text } = message
          const image = await imageOf(store, tx, { ...caller, text, name, labels, host })
          await wantCopy(tx, image, host)
          return { resourceId: image.id, operationId: (await pullOf(store, tx, image, caller.actor, host)).id }
        })
        return answer(tx, caller.project, made)
      }),

    delete: (caller: Caller, message: DeleteImageRequest): Promise<AcceptedImage> =>
      db.transaction('image.delete', async (tx) => {
        const method = 'berth.image.v1.ImageService/DeleteImage'
        const request: Request<typeof DeleteImageRequestSchema> = { caller, method, schema: DeleteImageRequestSchema, message }
        const made = await withRequestId(tx, request, async () => {
          const image = await store.lock(tx, caller.project, message.id, message.etag)
          if (image.deleteTime !== null)
            return { resourceId: image.id, operationId: (await openOperation(tx, image.id, 'image.delete'))?.id ?? '' }
          await refuseUsed(tx, image)
          await store.markDeleted(tx, image, caller.actor)
          const operation = await accept(tx, { kind: 'image.delete', resource: image, actor: caller.actor })
          return { resourceId: image.id, operationId: operation.id }
        })
        return answer(tx, caller.project, made)
      }),
  }
}

export type ImageVerbs = ReturnType<typeof imageVerbs>

/** @throws FailedPrecondition(`IMAGE_IN_USE`), naming the first few that use it */
async function refuseUsed(tx: Tx, image: ImageRow): Promise<void> {
  const holds = await holdsOn(tx, image.id)
  if (holds.length === 0) return
  const users = [...new Set(holds.map(({ ownerKind, ownerId }) => `${ownerKind}/${ownerId}`))]
  const named = users.slice(0, 5).join(', ')
  const more = users.length > 5 ? ` and ${users.length - 5} more` : ''
  throw failedPrecondition('IMAGE_IN_USE', `the image “${image.name}” is used by ${named}${more}`, {
    metadata: { image: image.id, users: users.slice(0, 5).join(',') },
  })
}
