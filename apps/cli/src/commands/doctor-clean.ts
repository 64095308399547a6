import { type CleanHostResponse, CleanHostResponseSchema, RemovalOutcome } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { toJson } from '@bufbuild/protobuf'
import type { Work } from '../command.ts'
import { Exit, UsageError } from '../exit.ts'
import { table } from '../output/printer.ts'
import { enumName } from '../output/views.ts'

/** What `doctor --clean` was asked for. */
export interface CleanFlags {
  readonly host?: string
  readonly dryRun: boolean
  readonly maxRemovals?: string
  readonly includeRunning: boolean
}

/** Removes what the audit finds on the host alone; exits with 1 when some of it is left. A dry run only shows it. */
export async function clean({ api, out, cli, signal }: Work, flags: CleanFlags): Promise<void> {
  const { host = '', dryRun, includeRunning } = flags
  const maxRemovals = removalsOf(flags.maxRemovals)
  const answer = await api.audit.cleanHost({ host, maxRemovals, includeRunning, validateOnly: dryRun }, { signal, timeoutMs: 240_000 })
  out.value(toJson(CleanHostResponseSchema, answer), cleanText(answer))
  const planned = countOf(answer, RemovalOutcome.PLANNED)
  if (dryRun && planned > (maxRemovals || 10))
    cli.process.stderr.write(`berth: that is more than are removed at once; to remove them: --max-removals ${planned}\n`)
  if (!dryRun && countOf(answer, RemovalOutcome.REMOVED) < answer.removals.length) throw new Exit(1)
}

/** The number of `--max-removals`; unset is the server's default. @throws UsageError */
export function removalsOf(text: string | undefined): number {
  if (text === undefined) return 0
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < 1 || number > 10_000)
    throw new UsageError(`--max-removals takes a number from 1 to 10000, not “${text}”`)
  return number
}

function countOf({ removals }: CleanHostResponse, outcome: RemovalOutcome): number {
  return removals.filter((removal) => removal.outcome === outcome).length
}

function cleanText({ host, removals }: CleanHostResponse): string {
  if (removals.length === 0) return `host ${host} has nothing that the database does not know`
  const rows = table(
    [
      { head: 'SERVICE', cell: (it) => it.finding?.service ?? '' },
      { head: 'KIND', cell: (it) => it.finding?.kind ?? '' },
      { head: 'NAME', cell: (it) => it.finding?.name ?? '' },
      { head: 'OUTCOME', cell: (it) => enumName(RemovalOutcome, it.outcome) },
      { head: 'MESSAGE', cell: (it) => it.message },
    ],
    removals,
    false,
  )
  return rows.join('\n')
}
