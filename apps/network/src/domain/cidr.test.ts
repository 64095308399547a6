import { describe, expect, it } from 'vitest'
import { addressAt, formatAddress, formatCidr, overlaps, parseAddress, parseCidr, subnetsOf } from './cidr.ts'

describe('ranges of addresses', () => {
  it('are read and written in canonical form', () => {
    const pairs = [
      ['10.94.3.7/24', '10.94.3.0/24'],
      ['10.0.0.1', '10.0.0.1/32'],
      ['0.0.0.0/0', '0.0.0.0/0'],
      ['fd00:0:0:1::5/64', 'fd00:0:0:1::/64'],
      ['::/0', '::/0'],
      ['FE80::1', 'fe80::1/128'],
      ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7/128'],
    ]
    for (const [text, canonical] of pairs) expect(formatCidr(parseCidr(text ?? ''))).toBe(canonical)
  })

  it('refuse what is no address', () => {
    for (const text of [
      '',
      '10.0.0',
      '10.0.0.256',
      '010.0.0.1',
      '1.2.3.4/33',
      '1.2.3.4/',
      '1.2.3.4/8/8',
      '1::2::3',
      '12345::',
      'fd00::/129',
      'x',
    ]) {
      expect(() => parseCidr(text), text).toThrow(RangeError)
    }
  })

  it('overlap when they share an address, and never across families', () => {
    expect(overlaps(parseCidr('10.0.0.0/8'), parseCidr('10.94.0.0/16'))).toBe(true)
    expect(overlaps(parseCidr('10.94.1.0/24'), parseCidr('10.94.0.0/24'))).toBe(false)
    expect(overlaps(parseCidr('0.0.0.0/0'), parseCidr('::/0'))).toBe(false)
  })

  it('give addresses and subnets by number', () => {
    expect(addressAt(parseCidr('10.94.3.0/24'), 7n)).toBe('10.94.3.7')
    expect([...subnetsOf(parseCidr('10.94.0.0/16'), 24, 3)].map(formatCidr)).toEqual(['10.94.0.0/24', '10.94.1.0/24', '10.94.2.0/24'])
    expect([...subnetsOf(parseCidr('10.94.0.0/24'), 24, 9)]).toHaveLength(1)
    expect(formatAddress(parseAddress('fd00::a:0:0:1'), 128)).toBe('fd00::a:0:0:1')
  })
})
