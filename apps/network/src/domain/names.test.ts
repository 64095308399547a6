import { describe, expect, it } from 'vitest'
import { bridgeName, hostNames, linkLocal, macAddress, tapName, uniqueLocalRange } from './names.ts'

const counting = (count: number) => Uint8Array.from({ length: count }, (_, index) => index)
const names = hostNames('hst_1', 'abcd')

describe('names on the host', () => {
  it('fit the kernel and carry the host', () => {
    expect(bridgeName(names, counting)).toBe('br-abcdabcd')
    expect(tapName(names, counting)).toBe('btabcdabcdefg')
    expect(names.table).toBe('berth_abcd')
  })

  it('include Ethernet addresses that are local and unicast', () => {
    expect(macAddress(counting)).toBe('02:00:01:02:03:04')
  })

  it('include the link-local address of an Ethernet address', () => {
    expect(linkLocal('02:00:01:02:03:04')).toBe('fe80::1ff:fe02:304')
    expect(linkLocal('52:54:00:12:34:56')).toBe('fe80::5054:ff:fe12:3456')
  })

  it('include a unique local range', () => {
    expect(uniqueLocalRange(() => Uint8Array.of(0x12, 0x34, 0x56, 0x78, 0x9a))).toBe('fd12:3456:789a::/48')
  })
})
