import { failedPrecondition, invalidArgument, isBerthError } from '@berth/errors'
import { type CleanHostRequest, type CleanHostResponseSchema, type Finding, RemovalOutcome } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import type { Logger } from '@berth/telemetry'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { checkRemovals } from './removal-limit.ts'

/** Something that is on the host and in no row, as the audit names it. */
export type Orphan = {
  kind: string
  name: string
  /** Why it is left as it is; unset: it may go. */
  keep?: string | undefined
  /** Removes exactly this; nothing when it is gone. */
  remove(signal: AbortSignal): Promise<void>
}

/** How one look goes. */
export type LookOptions = {
  /** VMs that no instance has are to be ended. */
  includeRunning: boolean
  /** Nothing is removed yet: VMs that are to be ended count as ended. */
  planning: boolean
}

/** What a service knows of its own slice of its host. */
export type Slice = {
  service: string
  hostId: string
  /** Makes sure that the rows are this host's and the host this process's; see `ownDatabase`. */
  sure(): Promise<void>
  /** What is on the host alone, now, in the order in which it goes. */
  orphans(options: LookOptions, signal: AbortSignal): Promise<Orphan[]>
  /** Runs `work` while nothing else changes what it looks at. Default: at once. */
  exclusively?<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>
  logger: Logger
}

type Removal = NonNullable<MessageInitShape<typeof CleanHostResponseSchema>['removals']>[number]

/**
 * Removes those of the named findings that this service finds again as orphans of its own, in two looks right before, and looks once more whether they are
 * gone. What has got a row meanwhile is kept.
 *
 * @throws FailedPrecondition(`WRONG_HOST` | `FOREIGN_DATABASE` | `TOO_MANY_REMOVALS`), InvalidArgument(`NOTHING_NAMED`), Aborted(`LEASE_LOST`)
 */
export async function cleanHost(
  slice: Slice,
  request: CleanHostRequest,
  signal: AbortSignal,
): Promise<MessageInitShape<typeof CleanHostResponseSchema>> {
  const { host, findings, validateOnly } = request
  const { hostId, exclusively } = slice
  if (host !== '' && host !== hostId)
    throw failedPrecondition('WRONG_HOST', `this is host ${hostId}`, { field: 'host', metadata: { host: hostId } })
  if (findings.length === 0) throw invalidArgument('NOTHING_NAMED', 'say what is to be removed', { field: 'findings' })
  const named = [...new Map(findings.map((finding) => [`${finding.service} ${keyOf(finding)}`, finding])).values()]
  if (validateOnly) return { host: hostId, removals: await plan(slice, named, request, signal) }
  const clean = () => carryOut(slice, named, request, signal)
  return { host: hostId, removals: await (exclusively ? exclusively(signal, clean) : clean()) }
}

async function plan(slice: Slice, named: Finding[], { includeRunning }: CleanHostRequest, signal: AbortSignal): Promise<Removal[]> {
  await slice.sure()
  const seen = await look(slice, { includeRunning, planning: true }, signal)
  await slice.sure()
  return named.map((finding) => planned(finding, orphanOf(slice, seen, finding)))
}

async function carryOut(slice: Slice, named: Finding[], request: CleanHostRequest, signal: AbortSignal): Promise<Removal[]> {
  const options = { includeRunning: request.includeRunning, planning: false }
  await slice.sure()
  const first = await look(slice, options, signal)
  const removable = named.filter((finding) => planned(finding, orphanOf(slice, first, finding)).outcome === RemovalOutcome.PLANNED)
  checkRemovals(removable.length, request.maxRemovals)
  const wanted = new Set(removable.map(keyOf))
  const second = await look(slice, options, signal)
  const going = new Map([...second].filter(([key, { keep }]) => wanted.has(key) && keep === undefined))
  const failures = await removeAll(slice, [...going.values()], signal)
  const left = going.size > 0 ? await look(slice, options, signal) : second
  return named.map((finding): Removal => {
    const key = keyOf(finding)
    if (finding.service !== slice.service || !going.has(key))
      return planned(finding, orphanOf(slice, second, finding), 'it is not what it was a moment before')
    if (!left.has(key)) return { finding, outcome: RemovalOutcome.REMOVED }
    return { finding, outcome: RemovalOutcome.FAILED, message: failures.get(key) ?? 'it is still there' }
  })
}

/** Why some could not be removed, by their keys. */
async function removeAll({ sure, logger }: Slice, orphans: Orphan[], signal: AbortSignal): Promise<Map<string, string>> {
  const failures = new Map<string, string>()
  for (const orphan of orphans) {
    signal.throwIfAborted()
    await sure()
    const { kind, name } = orphan
    try {
      await orphan.remove(signal)
      logger.info({ kind, name }, 'removed what no row names')
    } catch (error) {
      logger.warn({ err: error, kind, name }, 'what no row names could not be removed')
      failures.set(keyOf(orphan), reasonOf(error))
    }
  }
  return failures
}

/** What is found, by its key, in the order in which it goes. */
async function look({ orphans }: Slice, options: LookOptions, signal: AbortSignal): Promise<Map<string, Orphan>> {
  return new Map((await orphans(options, signal)).map((orphan) => [keyOf(orphan), orphan]))
}

function orphanOf({ service }: Slice, seen: Map<string, Orphan>, finding: Finding): Orphan | undefined {
  return finding.service === service ? seen.get(keyOf(finding)) : undefined
}

/** @param changed why something that may go now was not removed */
function planned(finding: Finding, orphan: Orphan | undefined, changed?: string) {
  if (!orphan) return { finding, outcome: RemovalOutcome.KEPT, message: 'it is gone, or has a row' }
  const message = orphan.keep ?? changed
  return message === undefined ? { finding, outcome: RemovalOutcome.PLANNED } : { finding, outcome: RemovalOutcome.KEPT, message }
}

const keyOf = ({ kind, name }: Pick<Finding, 'kind' | 'name'>): string => `${kind} ${name}`

/** What callers may read of a failure: no path, no command line. */
function reasonOf(error: unknown): string {
  if (isBerthError(error)) return error.message
  return `it could not be removed: ${(error as NodeJS.ErrnoException).code ?? 'the log says why'}`
}
