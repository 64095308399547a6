import { describe, expect, it } from 'vitest'
import { checkHostname, reachableResolvers, renderDnsmasq, renderHosts, renderLease } from './dnsmasq.ts'
import { bridge, port } from './testing.ts'

const paths = { config: '/d/c', pidFile: '/d/pid', hostsDir: '/d/hosts', dhcpDir: '/d/dhcp', leaseFile: '/d/leases' }

describe('DNS and DHCP for guests', () => {
  it('listen on the bridge alone and forward by the host’s resolvers', () => {
    expect(renderDnsmasq(bridge, paths, 'nobody', '/etc/resolv.conf').split('\n')).toEqual(
      expect.arrayContaining([
        'interface=br-abcdaaaa',
        'except-interface=lo',
        'bind-dynamic',
        'user=nobody',
        'resolv-file=/etc/resolv.conf',
        'dhcp-range=10.94.0.0,static,255.255.255.0,1h',
        'dhcp-option=option:dns-server,10.94.0.1',
      ]),
    )
  })

  it('know a guest by its host name, over both families, and lease it its own address', () => {
    const guest = { ...port, hostname: 'web' }
    expect(renderHosts(guest)).toBe('10.94.0.2 web.berth.internal web\nfd12:3456:789a::2 web.berth.internal web\n')
    expect(renderLease(guest)).toBe('02:00:00:00:00:02,10.94.0.2,web,infinite\n')
    expect(renderHosts({ ...guest, hostname: '' })).toBe('')
    expect(renderLease({ ...guest, hostname: '' })).toBe('02:00:00:00:00:02,10.94.0.2,infinite\n')
  })

  it('refuse host names that are none', () => {
    for (const name of ['a b', 'a\nb', '-a', 'A', 'a,b', 'a.b', 'x'.repeat(64)]) {
      expect(() => checkHostname(name), name).toThrow(expect.objectContaining({ reason: 'BAD_HOSTNAME' }))
    }
    expect(checkHostname('')).toBe('')
  })

  it('never give a loopback resolver to a guest', () => {
    expect(reachableResolvers('nameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\n# nameserver 192.0.2.54\n')).toEqual([
      '192.0.2.53',
    ])
  })
})
