import { expect, it } from 'vitest'
import { type AuditedDisk, auditPool } from './audit.ts'
import type { FoundDisk, PoolEntry } from './ports.ts'

const disk = (id: string, given: Partial<AuditedDisk> = {}): AuditedDisk => ({
  id,
  kind: 'volume',
  sizeBytes: 4096,
  expected: true,
  writer: '',
  attachments: [],
  ...given,
})
const file = (given: Partial<FoundDisk> = {}): FoundDisk => ({ sizeBytes: 4096, allocatedBytes: 0, uid: 0, gid: 0, mode: 0o600, ...given })
const entry = (id: string, kind: PoolEntry['kind'] = 'disk'): PoolEntry => ({
  name: `${id}.raw${kind === 'unfinished' ? '.tmp' : ''}`,
  id: kind === 'foreign' ? undefined : id,
  kind,
})
const lines = (input: Partial<Parameters<typeof auditPool>[0]>) =>
  auditPool({ disks: [], entries: [], files: new Map(), stray: [], ...input }).map(({ side, kind, name }) => `${side} ${kind} ${name}`)
const writer = { owner: { kind: 'instance', id: 'ins_1', slot: 'disk0' }, uid: 9, readOnly: false, releasing: false }

it('finds nothing where host and database agree', () => {
  const attached = disk('b', { writer: 'ins_1', attachments: [writer] })
  const files = new Map([
    ['a', file()],
    ['b', file({ uid: 9, gid: 9 })],
  ] as const)
  expect(
    lines({
      disks: [disk('a'), attached, disk('c', { expected: false })],
      entries: [entry('a'), entry('b'), entry('c', 'unfinished')],
      files,
    }),
  ).toEqual([])
})

it('names every file that no row names', () => {
  const entries = [entry('x'), entry('y', 'unfinished'), { name: 'notes.txt', id: undefined, kind: 'foreign' as const }]
  expect(lines({ entries })).toEqual(['HOST_ONLY file x.raw', 'HOST_ONLY file y.raw.tmp', 'HOST_ONLY file notes.txt'])
})

it('names what an unfinished try left beside a finished disk', () => {
  expect(lines({ disks: [disk('a')], entries: [entry('a'), entry('a', 'unfinished')], files: new Map([['a', file()]]) })).toEqual([
    'HOST_ONLY file a.raw.tmp',
  ])
})

it('names rows without file, wrong sizes, wrong owners and wrong writers', () => {
  const files = new Map([
    ['b', file({ sizeBytes: 1 })],
    ['c', file({ uid: 9, gid: 9 })],
    ['d', file({ uid: 9, gid: 9 })],
  ] as const)
  const disks = [disk('a'), disk('b'), disk('c'), disk('d', { attachments: [writer] })]
  expect(lines({ disks, files })).toEqual(['DATABASE_ONLY row a', 'MISMATCH file b', 'MISMATCH grant c', 'MISMATCH lease d'])
})

it('names leases of disks that are in no table', () => {
  expect(lines({ stray: [{ ...writer, diskId: 'gone' }] })).toEqual(['DATABASE_ONLY lease instance/ins_1/disk0'])
})
