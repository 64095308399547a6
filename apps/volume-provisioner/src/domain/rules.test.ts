import { expect, it } from 'vitest'
import { accessFor, type Attachment } from './access.ts'
import { checkRoom, checkSize } from './size.ts'
import { refuseConflict, refuseUsed } from './use.ts'

const attached = (id: string, given: Partial<Attachment> = {}): Attachment => ({
  owner: { kind: 'instance', id, slot: 'disk0' },
  uid: 900_000 + id.length,
  readOnly: false,
  releasing: false,
  ...given,
})

it('gives a disk to its writer alone', () => {
  expect(accessFor([attached('a')])).toEqual({ uid: 900_001, gid: 900_001, mode: 0o600 })
})

it('lets a reader read and never make it writable, since it does not own the file', () => {
  expect(accessFor([attached('a', { readOnly: true })])).toEqual({ uid: 0, gid: 900_001, mode: 0o440 })
  expect(accessFor([attached('a', { readOnly: true }), attached('bb', { readOnly: true })])).toEqual({ uid: 0, gid: 0, mode: 0o444 })
})

it('gives a disk that nobody has, or that is being taken back, to nobody', () => {
  expect(accessFor([])).toEqual({ uid: 0, gid: 0, mode: 0o600 })
  expect(accessFor([attached('a', { releasing: true })])).toEqual({ uid: 0, gid: 0, mode: 0o600 })
  expect(accessFor([attached('a', { releasing: true }), attached('bb', { readOnly: true })])).toMatchObject({ gid: 900_002, mode: 0o440 })
})

it('refuses a second writer and names the first, also while it is being taken back', () => {
  const wanted = { owner: { kind: 'instance', id: 'b', slot: 'disk0' }, readOnly: false }
  const failed = { code: 'FAILED_PRECONDITION', reason: 'VOLUME_IN_USE', metadata: { instance: 'a', slot: 'disk0', volume: 'data' } }
  expect(() => refuseConflict('data', [attached('a')], wanted)).toThrow(expect.objectContaining(failed))
  expect(() => refuseConflict('data', [attached('a', { releasing: true })], wanted)).toThrow(expect.objectContaining(failed))
  expect(() => refuseConflict('data', [attached('b')], wanted)).not.toThrow()
})

it('lets readers share but not beside a writer', () => {
  const reader = { owner: { kind: 'instance', id: 'b', slot: 'disk0' }, readOnly: true }
  expect(() => refuseConflict('data', [attached('a', { readOnly: true })], reader)).not.toThrow()
  expect(() => refuseConflict('data', [attached('a')], reader)).toThrow(/in use by instance a \(disk0, writing\)/)
  expect(() => refuseConflict('data', [attached('a', { readOnly: true })], { ...reader, readOnly: false })).toThrow(/read only/)
})

it('refuses to delete what somebody has', () => {
  expect(() => refuseUsed('data', [])).not.toThrow()
  expect(() => refuseUsed('data', [attached('a')])).toThrow('volume “data” is in use by instance a (disk0, writing)')
})

it('takes sizes of whole blocks only', () => {
  expect(() => checkSize(8192)).not.toThrow()
  expect(() => checkSize(8191)).toThrow(
    expect.objectContaining({ reason: 'SIZE_NOT_ALIGNED', violations: [expect.objectContaining({ field: 'size_bytes' })] }),
  )
})

it('keeps the reserve of a pool free', () => {
  const room = { freeBytes: 100, reserveBytes: 40 }
  expect(() => checkRoom('default', room, 59)).not.toThrow()
  expect(() => checkRoom('default', room, 60)).toThrow(expect.objectContaining({ code: 'RESOURCE_EXHAUSTED', reason: 'POOL_FULL' }))
  expect(() => checkRoom('default', { freeBytes: 40, reserveBytes: 40 }, 0)).toThrow(expect.objectContaining({ reason: 'POOL_FULL' }))
})
