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
  { host, findings, maxRemovals, includeRunning, validateOnly }: CleanHostRequest,
  signal: AbortSignal,
): Promise<MessageInitShape<typeof CleanHostResponseSchema>> {
  const { service, hostId, sure, orphans, logger } = slice
  if (host !== '' && host !== hostId)
    throw failedPrecondition('WRONG_HOST', `this is host ${hostId}`, { field: 'host', metadata: { host: hostId } })
  if (findings.length === 0) throw invalidArgument('NOTHING_NAMED', 'say what is to be removed', { field: 'findings' })
  const named = [...new Map(findings.map((finding) => [`${finding.service} ${keyOf(finding)}`, finding])).values()]
  const look = async (planning: boolean) =>
    new Map((await orphans({ includeRunning, planning }, signal)).map((orphan) => [keyOf(orphan), orphan]))
  const foundIn = (seen: Map<string, Orphan>, finding: Finding) => (finding.service === service ? seen.get(keyOf(finding)) : undefined)

  if (validateOnly) {
    await sure()
    const seen = await look(true)
    await sure()
    return { host: hostId, removals: named.map((finding) => planned(finding, foundIn(seen, finding))) }
  }

  const clean = async () => {
    await sure()
    const first = await look(false)
    const removable = named.filter((finding) => planned(finding, foundIn(first, finding)).outcome === RemovalOutcome.PLANNED)
    checkRemovals(removable.length, maxRemovals)
    const wanted = new Set(removable.map(keyOf))
    const second = await look(false)
    await sure()
    const failures = new Map<string, string>()
    const tried = new Set<string>()
    for (const [key, orphan] of second) {
      if (!wanted.has(key) || orphan.keep !== undefined) continue
      signal.throwIfAborted()
      tried.add(key)
      try {
        await orphan.remove(signal)
        logger.info({ kind: orphan.kind, name: orphan.name }, 'removed what no row names')
      } catch (error) {
        logger.warn({ err: error, kind: orphan.kind, name: orphan.name }, 'what no row names could not be removed')
        failures.set(key, reasonOf(error))
      }
    }
    const left = tried.size > 0 ? await look(false) : second
    return named.map((finding): Removal => {
      const key = keyOf(finding)
      if (finding.service !== service || !tried.has(key))
        return planned(finding, foundIn(second, finding), 'it is not what it was a moment before')
      if (!left.has(key)) return { finding, outcome: RemovalOutcome.REMOVED }
      return { finding, outcome: RemovalOutcome.FAILED, message: failures.get(key) ?? 'it is still there' }
    })
  }
  const removals = slice.exclusively ? await slice.exclusively(signal, clean) : await clean()
  return { host: hostId, removals }
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
