import { ConditionSchema, ConditionStatus } from '@berth/proto/berth/common/v1/resource_pb.ts'
import { CopyState, type ImageCopy, ImageCopySchema, type ImageStatus, ImageStatusSchema } from '@berth/proto/berth/image/v1/image_pb.ts'
import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { RunConfig } from './config.ts'
import type { Resolved } from './ports.ts'

//   (no copy) ── Pull, Ensure ──► PENDING ──► READY ◄─┐ pulled again, root found missing
//                                    │          └─────┘
//                       failed, cancelled, deleted ──► (no copy; the last copy takes the image with it)

/** Status of an image that nobody has yet. */
export const newStatus = (): ImageStatus => create(ImageStatusSchema)

/** The status with what one host has put in its place; `state` and the condition `Ready` follow from all copies. */
export function withCopy(status: ImageStatus, host: string, state: CopyState, now: Date): ImageStatus {
  const readyTime = state === CopyState.READY ? timestampFromDate(now) : undefined
  return judged({ ...status, copies: [...others(status, host), create(ImageCopySchema, { host, state, readyTime })] }, now)
}

/** The status after a host has given its copy up. */
export const withoutCopy = (status: ImageStatus, host: string, now: Date): ImageStatus =>
  judged({ ...status, copies: others(status, host) }, now)

const others = (status: ImageStatus, host: string): ImageCopy[] => status.copies.filter((copy) => copy.host !== host)

function judged(status: ImageStatus, now: Date): ImageStatus {
  const ready = status.copies.some(({ state }) => state === CopyState.READY)
  const wanted = ready ? ConditionStatus.TRUE : ConditionStatus.FALSE
  const before = status.conditions.find(({ type }) => type === 'Ready')
  const lastTransitionTime = before?.status === wanted ? before.lastTransitionTime : timestampFromDate(now)
  const condition = { type: 'Ready', status: wanted, reason: ready ? 'PULLED' : 'PULLING', lastTransitionTime, observedGeneration: 1n }
  const conditions = [...status.conditions.filter(({ type }) => type !== 'Ready'), create(ConditionSchema, condition)]
  return { ...status, state: ready ? CopyState.READY : CopyState.PENDING, observedGeneration: 1n, conditions }
}

/** The status once the reference has led to a manifest. */
export function withDigest(status: ImageStatus, { digest, indexDigest, manifest }: Resolved): ImageStatus {
  const compressed = manifest.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return { ...status, digest, indexDigest, compressedSizeBytes: BigInt(compressed) }
}

/** The status once a root was made: digest, configuration and sizes belong together. */
export function withRoot(status: ImageStatus, resolved: Resolved, run: RunConfig, rootSizeBytes: number): ImageStatus {
  const { config } = create(ImageStatusSchema, { config: run })
  return { ...withDigest(status, resolved), config, rootSizeBytes: BigInt(rootSizeBytes) }
}
