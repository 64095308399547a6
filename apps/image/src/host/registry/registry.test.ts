import { describe, expect, it } from 'vitest'
import { checkLiteral, isOpenAddress } from './egress.ts'
import { Transient } from './failures.ts'
import { retryAfterMs, retrying } from './retry.ts'
import { parseChallenge } from './token.ts'

describe('addresses a pull may reach', () => {
  it.each([
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '169.254.169.254',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:169.254.169.254',
    '64:ff9b::7f00:1',
  ])('do not include %s', (address) => expect(isOpenAddress(address)).toBe(false))

  it.each(['10.1.2.3', '192.168.1.1', '1.1.1.1', '2606:4700::1111', 'fd00::1'])('include %s', (address) =>
    expect(isOpenAddress(address)).toBe(true))

  it('are judged in a URL too, in every spelling', () => {
    for (const host of ['127.1', '0x7f.1', '2130706433', '[::1]', '169.254.169.254'])
      expect(() => checkLiteral(new URL(`https://${host}/v2/`))).toThrow(expect.objectContaining({ reason: 'EGRESS_BLOCKED' }))
    expect(() => checkLiteral(new URL('https://registry.example/v2/'))).not.toThrow()
  })
})

describe('challenges', () => {
  it('are read in any order and case', () => {
    expect(parseChallenge('Bearer realm="https://a/t",service="r",scope="x"')).toEqual({ realm: 'https://a/t', service: 'r' })
    expect(parseChallenge(['Basic realm="x"', 'bearer service=r, REALM="https://a/t"'])).toEqual({ realm: 'https://a/t', service: 'r' })
  })

  it('of other schemes are none', () => {
    expect(parseChallenge('Basic realm="x"')).toBeUndefined()
    expect(parseChallenge(undefined)).toBeUndefined()
  })
})

describe('retries', () => {
  const signal = new AbortController().signal

  it('end after the last try with the last failure', async () => {
    let tries = 0
    const failing = () => Promise.reject(new Transient(`try ${++tries}`))
    await expect(retrying(failing, { signal, attempts: 3, baseMs: 1 })).rejects.toThrow('try 3')
  })

  it('are not made for what no retry cures', async () => {
    let tries = 0
    await expect(retrying(() => Promise.reject(new Error(`try ${++tries}`)), { signal, baseMs: 1 })).rejects.toThrow('try 1')
  })

  it('stop waiting when the work is given up', async () => {
    const control = new AbortController()
    const failing = () => {
      control.abort()
      return Promise.reject(new Transient('x', { waitMs: 60_000 }))
    }
    await expect(retrying(failing, { signal: control.signal })).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('wait as long as they are asked to', () => {
    expect(retryAfterMs('3')).toBe(3000)
    expect(retryAfterMs(new Date(Date.now() + 5000).toUTCString())).toBeGreaterThan(2000)
    expect(retryAfterMs('soon')).toBeUndefined()
    expect(retryAfterMs(undefined)).toBeUndefined()
  })
})
