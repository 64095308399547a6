import { describe, expect, it } from 'vitest'
import { hashApiKey, isApiKey, makeApiKey } from './api-key.ts'
import { readToken, writeToken } from './position.ts'

describe('API keys', () => {
  it('are random, well formed, and kept as a hash that is not the key', () => {
    const keys = new Set(Array.from({ length: 100 }, makeApiKey))
    expect(keys.size).toBe(100)
    for (const key of keys) {
      expect(isApiKey(key)).toBe(true)
      expect(Buffer.from(key.slice('berth_'.length), 'base64url').length).toBe(32)
      expect(hashApiKey(key)).not.toContain(key.slice(6))
    }
  })

  it.each([
    '',
    'berth_',
    'berth_short',
    `berth_${'ü'.repeat(30)}`,
    `other_${'x'.repeat(30)}`,
    `berth_${'x'.repeat(4096)}`,
  ])('“%s” is none', (text) => {
    expect(isApiKey(text)).toBe(false)
  })
})

describe('tokens that clients bring back', () => {
  it('are read only with the question they were made for, and unchanged', () => {
    const token = writeToken({ image: 'x' }, 'scope')
    expect(readToken(token, 'scope')).toEqual({ image: 'x' })
    expect(readToken(token, 'other')).toBeUndefined()
    expect(readToken(`${token}x`, 'scope')).toBeUndefined()
    const [body, sum] = JSON.parse(Buffer.from(token, 'base64url').toString())
    const changed = Buffer.from(JSON.stringify([body.replace('x', 'y'), sum])).toString('base64url')
    expect(readToken(changed, 'scope')).toBeUndefined()
    for (const rubbish of ['', 'x', 'bnVsbA', 'e30']) expect(readToken(rubbish, 'scope')).toBeUndefined()
  })
})
