import { describe, expect, it } from 'vitest'
import { chooseSubnet } from './choose-subnet.ts'

const range = '10.94.0.0/16'

describe('the choice of a subnet', () => {
  it('takes the first of the range, and a default route is no hindrance', () => {
    expect(chooseSubnet({ range, length: 24, taken: [], routes: ['0.0.0.0/0', '192.0.2.0/24'] })).toEqual({
      subnet: '10.94.0.0/24',
      reason: '',
    })
  })

  it('passes over what other hosts and networks have, without a reason', () => {
    expect(chooseSubnet({ range, length: 24, taken: ['10.94.0.0/24', '10.94.1.0/24'], routes: [] })).toEqual({
      subnet: '10.94.2.0/24',
      reason: '',
    })
  })

  it('passes over a route of the host and says which', () => {
    expect(chooseSubnet({ range, length: 24, taken: [], routes: ['10.94.0.128/25'] })).toEqual({
      subnet: '10.94.1.0/24',
      reason: "10.94.0.0/24 overlaps the host's route to 10.94.0.128/25",
    })
  })

  it('falls back to another range when a route covers the whole of it', () => {
    const { subnet, reason } = chooseSubnet({ range, length: 24, taken: [], routes: ['10.0.0.0/8'], fallbacks: ['172.30.0.0/16'] })
    expect(subnet).toBe('172.30.0.0/24')
    expect(reason).toContain('10.0.0.0/8')
  })

  it('does the same for IPv6', () => {
    expect(
      chooseSubnet({ range: 'fd12:3456:789a::/48', length: 64, taken: ['fd12:3456:789a::/64'], routes: ['::/0', 'fd00::/64'] }).subnet,
    ).toBe('fd12:3456:789a:1::/64')
  })

  it('says so when nothing is left', () => {
    expect(() => chooseSubnet({ range: '10.94.0.0/24', length: 24, taken: ['10.94.0.0/24'], routes: [] })).toThrow(
      expect.objectContaining({ code: 'RESOURCE_EXHAUSTED', reason: 'NO_FREE_SUBNET' }),
    )
  })
})
