import { failedPrecondition } from '@berth/errors'
import { CleanHostRequestSchema, RemovalOutcomeSchema } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { createLogger } from '@berth/telemetry'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { cleanHost, type Orphan, type Slice } from './clean-host.ts'

const signal = new AbortController().signal
const logger = createLogger({ name: 'test', level: 'silent' })
const named = (...names: string[]) => names.map((name) => ({ service: 'volume', kind: 'file', name }))

/** A host with these orphans; what each look finds is `looks(n)`, n from 1. */
function host(names: string[], looks: (found: string[], look: number) => string[] = (found) => found) {
  const there = new Set(names)
  const log: string[] = []
  let look = 0
  const orphanOf = (name: string): Orphan => ({
    kind: 'file',
    name,
    keep: name.startsWith('keep') ? 'it is kept' : undefined,
    remove: async () => {
      log.push(`remove ${name}`)
      if (name.startsWith('stuck')) throw failedPrecondition('IN_USE', 'somebody uses it')
      if (!name.startsWith('stays')) there.delete(name)
    },
  })
  const slice: Slice = {
    service: 'volume',
    hostId: 'hst_a',
    sure: async () => void log.push('sure'),
    orphans: async () => looks([...there], ++look).map(orphanOf),
    logger,
  }
  const clean = async (request: MessageInitShape<typeof CleanHostRequestSchema>) => {
    const { removals = [] } = await cleanHost(slice, create(CleanHostRequestSchema, request), signal)
    return removals.map(({ finding, outcome = 0, message = '' }) => [
      finding?.name,
      RemovalOutcomeSchema.value[outcome]?.localName,
      message,
    ])
  }
  return { there, log, clean, slice }
}

it('removes what is named and found, in the order in which it goes, and makes sure of its database first', async () => {
  const { there, log, clean } = host(['b', 'a', 'other'])
  expect(await clean({ findings: named('a', 'b') })).toEqual([
    ['a', 'REMOVED', ''],
    ['b', 'REMOVED', ''],
  ])
  expect([[...there], log]).toEqual([['other'], ['sure', 'sure', 'remove b', 'sure', 'remove a']])
})

it('removes nothing that it does not find itself, or that is another service’s', async () => {
  const { there, clean } = host(['a'])
  const findings = [...named('b', '../a'), { service: 'image', kind: 'file', name: 'a' }, { service: 'volume', kind: 'row', name: 'a' }]
  expect((await clean({ findings })).map(([, outcome]) => outcome)).toEqual(['KEPT', 'KEPT', 'KEPT', 'KEPT'])
  expect([...there]).toEqual(['a'])
})

it('lets a row win that appears between two looks', async () => {
  const { there, clean } = host(['a', 'b'], (found, look) => (look === 2 ? found.filter((name) => name !== 'a') : found))
  expect(await clean({ findings: named('a', 'b') })).toEqual([
    ['a', 'KEPT', 'it is gone, or has a row'],
    ['b', 'REMOVED', ''],
  ])
  expect([...there]).toEqual(['a'])
})

it('does not remove what the second look alone finds', async () => {
  const { there, clean } = host(['a'], (found, look) => (look === 1 ? [] : found))
  expect((await clean({ findings: named('a') })).map(([, outcome]) => outcome)).toEqual(['KEPT'])
  expect([...there]).toEqual(['a'])
})

it('tells what it keeps, what could not be removed, and what is there all the same', async () => {
  const { clean } = host(['keep', 'stuck', 'stays'])
  expect(await clean({ findings: named('keep', 'stuck', 'stays') })).toEqual([
    ['keep', 'KEPT', 'it is kept'],
    ['stuck', 'FAILED', 'somebody uses it'],
    ['stays', 'FAILED', 'it is still there'],
  ])
})

it('removes nothing when it is one too many, ten unless told otherwise, not counting what it keeps', async () => {
  const names = Array.from({ length: 11 }, (_, index) => `f${index}`)
  const many = host([...names, 'keep'])
  const refused = { code: 'FAILED_PRECONDITION', reason: 'TOO_MANY_REMOVALS', metadata: { found: '11', limit: '10' } }
  await expect(many.clean({ findings: named(...names, 'keep') })).rejects.toMatchObject(refused)
  expect(many.log.filter((line) => line.startsWith('remove'))).toEqual([])
  expect(await many.clean({ findings: named(...names), maxRemovals: 11 })).toHaveLength(11)
  expect([...many.there]).toEqual(['keep'])
})

it('only says what would go, however much, when asked to', async () => {
  const { there, clean } = host(['a', 'b', 'keep'])
  expect(await clean({ findings: named('a', 'b', 'keep'), maxRemovals: 1, validateOnly: true })).toEqual([
    ['a', 'PLANNED', ''],
    ['b', 'PLANNED', ''],
    ['keep', 'KEPT', 'it is kept'],
  ])
  expect([...there]).toEqual(['a', 'b', 'keep'])
})

it('removes nothing when the database turns out to be another one on the way', async () => {
  const { there, log, slice } = host(['a'])
  const sure = async () => {
    log.push('sure')
    if (log.length > 1) throw failedPrecondition('FOREIGN_DATABASE', 'not ours')
  }
  const request = create(CleanHostRequestSchema, { findings: named('a') })
  await expect(cleanHost({ ...slice, sure }, request, signal)).rejects.toMatchObject({ reason: 'FOREIGN_DATABASE' })
  expect([...there]).toEqual(['a'])
})

it('refuses an empty list and another host', async () => {
  const { clean } = host(['a'])
  await expect(clean({})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'NOTHING_NAMED' })
  await expect(clean({ host: 'hst_b', findings: named('a') })).rejects.toMatchObject({ reason: 'WRONG_HOST' })
})
