import { describe, expect, it } from 'vitest'
import { lossOf } from './probe.ts'
import { bridge, createWorld, portNumber, type World } from './world.ts'

const [first, second] = [portNumber(2), portNumber(3)]

async function dropsOf(world: World, family: string, chain: string): Promise<number> {
  const text = await world.host.must('nft', 'list', 'chain', family, 'berth_abcd', chain)
  return [...text.matchAll(/packets (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
}

describe('the path of a packet', () => {
  it('leads from guest to guest through the host, over IPv4 and IPv6, from the first packet on and without loss', async () => {
    await using world = await createWorld()
    const a = await world.guest(first)
    await world.guest(second)
    expect(await lossOf(a, second.ipv4)).toBe(0)
    expect(await lossOf(a, second.ipv6, '-6')).toBe(0)
    expect(await lossOf(a, second.ipv4, '-t', '1')).toBe(100)
  })

  it('ends at the tap for a false Ethernet, IPv4 or IPv6 address', async () => {
    await using world = await createWorld()
    const a = await world.guest(first)
    await world.guest(second)
    await a.must('ip', 'addr', 'add', '10.94.0.9/24', 'dev', 'eth0')
    await a.must('ip', 'addr', 'add', 'fd12:3456:789a::9/128', 'dev', 'eth0', 'nodad')
    expect(await lossOf(a, second.ipv4, '-I', '10.94.0.9')).toBe(100)
    expect(await lossOf(a, second.ipv6, '-6', '-I', 'fd12:3456:789a::9')).toBe(100)
    expect(await lossOf(a, second.ipv4, '-I', first.ipv4)).toBe(0)
    await a.must('ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:99')
    const before = await dropsOf(world, 'bridge', 'from_guest')
    expect(await lossOf(a, second.ipv4, '-I', first.ipv4)).toBe(100)
    expect(await dropsOf(world, 'bridge', 'from_guest')).toBeGreaterThan(before)
  })

  it('is closed for a tap of this host that has no rules', async () => {
    await using world = await createWorld()
    const a = await world.guest(first)
    await world.network.removeRules(world.config.names, first, world.signal)
    expect(await lossOf(a, bridge.ipv4Gateway)).toBe(100)
  })

  it('leads to the world under the host’s own address, over IPv4 and IPv6', async () => {
    await using world = await createWorld()
    await world.outside()
    const a = await world.guest(first)
    expect(await lossOf(a, '192.0.2.2')).toBe(0)
    expect(await lossOf(a, '2001:db8::2', '-6')).toBe(0)
  })

  it('does not lead from the world to a guest, nor to metadata services', async () => {
    await using world = await createWorld()
    const outside = await world.outside()
    const a = await world.guest(first)
    await outside.must('ip', 'route', 'add', '10.94.0.0/24', 'via', '192.0.2.1')
    await outside.must('ip', 'addr', 'add', '169.254.169.254/32', 'dev', 'lo')
    await world.host.must('ip', 'route', 'add', '169.254.169.254/32', 'via', '192.0.2.2')
    expect(await lossOf(outside, first.ipv4)).toBe(100)
    expect(await lossOf(a, '169.254.169.254')).toBe(100)
  })

  it('reaches of the host the gateway’s echo alone', async () => {
    await using world = await createWorld()
    await world.outside()
    const a = await world.guest(first)
    expect(await lossOf(a, bridge.ipv4Gateway)).toBe(0)
    expect(await lossOf(a, 'fe80::1%eth0', '-6')).toBe(0)
    expect(await lossOf(a, '192.0.2.1')).toBe(100)
    expect(await lossOf(a, '2001:db8::1', '-6')).toBe(100)
  })

  it('takes at most four host commands a port, however many there are', async () => {
    await using world = await createWorld()
    for (const index of [2, 3, 4, 5, 6, 7, 8]) {
      const port = portNumber(index)
      const before = world.commands.length
      await world.network.ensureTap(world.config.names, port, world.signal)
      await world.network.ensureRules(world.config.names, bridge, port, world.signal)
      await world.network.setUp(port, world.signal)
      expect(world.commands.slice(before).length).toBeLessThanOrEqual(4)
    }
    const ports = [2, 3, 4, 5, 6, 7, 8].map((index) => portNumber(index))
    expect((await world.network.inspect({ ...world.config, ports }, world.signal)).drift).toEqual([])
  })
})
