import { expect, it } from 'vitest'
import { findOrMake, type Wanted } from './make-disk.ts'
import type { FoundDisk, StorageBackend } from './ports.ts'

const { signal } = new AbortController()
const wanted: Wanted = { id: 'vol_a', kind: 'volume', sizeBytes: 4096, wasReady: false }
const file = (sizeBytes: number): FoundDisk => ({ sizeBytes, allocatedBytes: 0, uid: 0, gid: 0, mode: 0o600 })

/** A pool that remembers what was asked of it. */
function pool(found: FoundDisk | undefined, freeBytes = 1e9) {
  const asked: string[] = []
  let now = found
  const make = (what: string) => async (_id: string, sizeBytes: number) => {
    asked.push(what)
    now = file(sizeBytes)
    return { method: 'sparse' as const, reason: what }
  }
  const backend: StorageBackend = {
    pool: 'default',
    pathOf: (id) => `/pool/${id}`,
    find: async () => now,
    createEmpty: make('empty'),
    createScratch: make('scratch'),
    setAccess: async () => undefined,
    remove: async () => undefined,
    entries: async () => [],
    discard: async () => undefined,
    inUse: async () => new Map(),
    room: async () => ({ freeBytes, reserveBytes: 100 }),
  }
  return { asked, run: (given: Partial<Wanted> = {}) => findOrMake(backend, { ...wanted, ...given }, (run) => run(), signal) }
}

it('makes what is not there, each kind its own way', async () => {
  for (const [kind, what] of [
    ['volume', 'empty'],
    ['scratch', 'scratch'],
  ] as const) {
    const { asked, run } = pool(undefined)
    expect(await run({ kind })).toMatchObject({ found: { sizeBytes: 4096 }, made: { method: 'sparse' } })
    expect(asked).toEqual([what])
  }
})

it('takes what an earlier try made', async () => {
  const { asked, run } = pool(file(4096))
  expect(await run()).toEqual({ found: file(4096), made: undefined })
  expect(asked).toEqual([])
})

it('replaces what was never ready and has another size', async () => {
  const { asked, run } = pool(file(1))
  expect(await run()).toMatchObject({ found: { sizeBytes: 4096 } })
  expect(asked).toEqual(['empty'])
})

it('never makes again what was ready once, gone or changed', async () => {
  for (const [found, reason] of [
    [undefined, 'FILE_LOST'],
    [file(1), 'SIZE_MISMATCH'],
  ] as const) {
    const { asked, run } = pool(found)
    expect(await run({ wasReady: true })).toMatchObject({ lost: { reason } })
    expect(asked).toEqual([])
  }
})

it('refuses a volume larger than what is free, and a scratch disk only when nothing is', async () => {
  const full = expect.objectContaining({ reason: 'POOL_FULL' })
  await expect(pool(undefined, 4000).run()).rejects.toEqual(full)
  await expect(pool(undefined, 4000).run({ kind: 'scratch' })).resolves.toMatchObject({ found: {} })
  await expect(pool(undefined, 100).run({ kind: 'scratch' })).rejects.toEqual(full)
})
