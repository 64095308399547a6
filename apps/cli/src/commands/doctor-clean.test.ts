import { CleanHostRequestSchema, CleanHostResponseSchema, RemovalOutcome } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import type { Work } from '../command.ts'
import { Exit, exitCodeOf, UsageError } from '../exit.ts'
import { printer } from '../output/printer.ts'
import { clean, type CleanFlags, removalsOf } from './doctor-clean.ts'

const { PLANNED, REMOVED, KEPT, FAILED } = RemovalOutcome
const flags: CleanFlags = { dryRun: false, includeRunning: false }

/** Runs the command against a server that answers with these outcomes. */
async function run(given: Partial<CleanFlags>, ...answered: RemovalOutcome[]) {
  let [stdout, stderr, code] = ['', '', 0]
  const asked: MessageInitShape<typeof CleanHostRequestSchema>[] = []
  const removals = answered.map((outcome, index) => ({
    finding: { service: 'volume', kind: 'file', name: `disk${index}` },
    outcome,
    message: outcome === KEPT ? 'it runs' : '',
  }))
  const work = {
    cli: { process: { stderr: { write: (text: string) => (stderr += text) } } },
    out: printer({ write: (text: string) => (stdout += text) }, { format: 'table', noHeaders: false }),
    api: {
      audit: {
        cleanHost: async (request: (typeof asked)[number]) => (
          asked.push(request), create(CleanHostResponseSchema, { host: 'hst_a', removals })
        ),
      },
    },
    signal: new AbortController().signal,
  } as unknown as Work
  await clean(work, { ...flags, ...given }).catch((error: unknown) => {
    if (!(error instanceof Exit)) throw error
    code = exitCodeOf(error)
  })
  return { stdout, stderr, code, asked }
}

it('shows what became of everything, and ends well when all is gone', async () => {
  const { stdout, code, asked } = await run({ maxRemovals: '20', includeRunning: true }, REMOVED, REMOVED)
  expect(stdout.split('\n').slice(0, 2)).toEqual([
    expect.stringMatching(/^SERVICE +KIND +NAME +OUTCOME/),
    expect.stringMatching(/^volume +file +disk0 +REMOVED/),
  ])
  expect([code, asked]).toEqual([0, [{ host: '', maxRemovals: 20, includeRunning: true, validateOnly: false }]])
})

it.each([KEPT, FAILED])('exits with 1 when something is left', async (outcome) => {
  expect((await run({}, REMOVED, outcome)).code).toBe(1)
})

it('only shows with --dry-run, and says what would allow as many', async () => {
  const few = await run({ dryRun: true }, PLANNED, KEPT)
  expect([few.code, few.stderr, few.asked[0]?.validateOnly]).toEqual([0, '', true])
  const many = Array.from({ length: 11 }, () => PLANNED)
  expect((await run({ dryRun: true }, ...many)).stderr).toContain('--max-removals 11')
  expect((await run({ dryRun: true, maxRemovals: '11' }, ...many)).stderr).toBe('')
})

it('says when there is nothing to do', async () => {
  expect(await run({})).toMatchObject({ code: 0, stdout: 'host hst_a has nothing that the database does not know\n' })
})

it('takes a plain number of removals and nothing else', () => {
  expect([removalsOf(undefined), removalsOf('1'), removalsOf('10000')]).toEqual([0, 1, 10_000])
  for (const text of ['', '0', '-1', '1e3', '10001', 'all', ' 5']) expect(() => removalsOf(text)).toThrow(UsageError)
})
