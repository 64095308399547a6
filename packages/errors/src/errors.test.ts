import { describe, expect, it } from 'vitest'
import * as errors from './index.ts'
import { BerthError, codeOfNumber, errorCodes, fromStatus, isBerthError, toStatus } from './index.ts'

describe('errors', () => {
  it('carries code, reason, metadata and the field as a violation', () => {
    const error = errors.invalidArgument('MEMORY_TOO_SMALL', 'at least 16 MiB', {
      field: 'spec.memory_bytes',
      metadata: { minimum: '16777216' },
    })
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'MEMORY_TOO_SMALL', metadata: { minimum: '16777216' } })
    expect(error.violations).toEqual([{ field: 'spec.memory_bytes', description: 'at least 16 MiB' }])
    expect(error.retryable).toBe(false)
  })

  it('has one maker for every code of the set', () => {
    const made = Object.values(errors)
      .filter((value): value is typeof errors.notFound => typeof value === 'function' && value.name === '' && value.length === 3)
      .map((make) => make('REASON', 'text').code)
    expect(made.toSorted()).toEqual(Object.keys(errorCodes).toSorted())
  })

  it('calls UNAVAILABLE, ABORTED and whatever says when to come back retryable', () => {
    expect(errors.unavailable('DOWN', 'down').retryable).toBe(true)
    expect(errors.aborted('STALE', 'stale').retryable).toBe(true)
    expect(errors.resourceExhausted('FULL', 'full').retryable).toBe(false)
    expect(errors.resourceExhausted('BUSY', 'busy', { retryAfterMs: 0 }).retryable).toBe(true)
  })

  it('survives the way through JSON', () => {
    const before = errors.resourceExhausted('POOL_FULL', 'no room', { metadata: { pool: 'a' }, field: 'size_bytes', retryAfterMs: 500 })
    const after = fromStatus(JSON.parse(JSON.stringify(toStatus(before))))
    expect(after).toBeInstanceOf(BerthError)
    expect(toStatus(after)).toEqual(toStatus(before))
  })

  it('hides the text of what is not of the vocabulary', () => {
    expect(JSON.stringify(toStatus(new Error('select secret from t')))).not.toContain('secret')
    expect(toStatus('text').code).toBe(errorCodes.INTERNAL)
  })

  it('knows its own errors and no others', () => {
    expect(isBerthError(errors.notFound('X', 'x'))).toBe(true)
    expect(isBerthError(new Error('x'))).toBe(false)
    expect(isBerthError({ name: 'BerthError' })).toBe(false)
  })

  it('reads a number outside the set as INTERNAL', () => {
    expect([0, 2, 17, 99].map(codeOfNumber)).toEqual(['INTERNAL', 'INTERNAL', 'INTERNAL', 'INTERNAL'])
    expect(codeOfNumber(5)).toBe('NOT_FOUND')
  })

  it.each([
    ['ENOSPC', 'RESOURCE_EXHAUSTED', 'DISK_FULL'],
    ['EDQUOT', 'RESOURCE_EXHAUSTED', 'DISK_FULL'],
    ['EMFILE', 'UNAVAILABLE', 'HOST_EXHAUSTED'],
    ['EAGAIN', 'UNAVAILABLE', 'HOST_EXHAUSTED'],
  ])('says of %s that the machine has run out, without the path', (code, wanted, reason) => {
    const thrown = Object.assign(new Error(`${code}: open '/secret/path'`), { code, syscall: 'open' })
    expect(toStatus(thrown)).toMatchObject({ code: errorCodes[wanted as keyof typeof errorCodes], reason })
    expect(toStatus(thrown).message).not.toContain('secret')
  })

  it('hides every other error of the system', () => {
    expect(toStatus(Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'read' })).reason).toBe('INTERNAL')
  })
})
