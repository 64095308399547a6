import { chmod, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '@berth/testing'
import { expect, it } from 'vitest'
import { dnsmasqServer } from '../src/host/dns-server.ts'
import { busybox } from './busybox.ts'
import { lossOf } from './probe.ts'
import { bridge, createWorld, portNumber } from './world.ts'

const port = portNumber(2)

it('a guest that asks gets its own address by DHCP, and names over IPv4 and IPv6, from a process with no rights and nothing inherited', async () => {
  await using world = await createWorld()
  await chmod(world.dir, 0o755)
  const dns = dnsmasqServer({ runner: world.host.runner, root: join(world.dir, 'network') })
  const guest = await world.guest(port)
  expect(await dns.ensure(bridge, { signal: world.signal })).toEqual({ running: true, reason: '' })
  try {
    await dns.setGuest(bridge, { ...port, hostname: 'web' })
    const script = join(world.dir, 'udhcpc.sh')
    await writeFile(script, `#!${busybox} sh\n[ "$1" = bound ] && echo "$ip $router $dns $hostname"\nexit 0\n`, { mode: 0o755 })
    await guest.must('ip', '-4', 'addr', 'flush', 'dev', 'eth0', 'scope', 'global')
    const lease = () => guest.exec(busybox, 'udhcpc', '-i', 'eth0', '-n', '-q', '-f', '-t', '3', '-T', '1', '-s', script)
    await until('the lease is given', async () =>
      (await lease()).stdout.includes(`${port.ipv4} ${bridge.ipv4Gateway} ${bridge.ipv4Gateway} web`),
    )
    await guest.must('ip', 'addr', 'add', `${port.ipv4}/24`, 'dev', 'eth0')
    for (const server of [bridge.ipv4Gateway, 'fe80::1%eth0']) {
      const { stdout, stderr } = await guest.exec(busybox, 'nslookup', '-type=aaaa', 'web.berth.internal', server)
      expect(`${server}: ${stdout} ${stderr}`).toContain(port.ipv6)
    }

    const { pid = 0 } = (await dns.identity(bridge)) ?? {}
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).not.toBe('0')
    const files = await Promise.all((await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`)))
    expect(files.filter((file) => !/^(\/dev\/null|socket:|pipe:|anon_inode:|\/.*\/leases)/.test(file))).toEqual([])
  } finally {
    await dns.stop(bridge.bridge)
  }
  expect(await dns.isRunning(bridge)).toBe(false)
})

it('frames with VLAN tags end at the tap', async () => {
  await using world = await createWorld()
  const a = await world.guest(port)
  expect(await lossOf(a, bridge.ipv4Gateway)).toBe(0)
  const { code } = await a.exec('ip', 'link', 'add', 'link', 'eth0', 'name', 'tagged', 'type', 'vlan', 'id', '5')
  // A kernel without VLANs cannot send such a frame; the rule is then shown by its text alone.
  const chain = await world.host.must('nft', 'list', 'chain', 'bridge', 'berth_abcd', 'from_guest')
  expect(chain).toContain('ether type != { ip, arp, ip6 }')
  if (code !== 0) return
  for (const words of ['link set tagged up', `addr add 10.94.0.2/24 dev tagged`, 'route replace 10.94.0.1 dev tagged src 10.94.0.2'])
    await a.must('ip', ...words.split(' '))
  expect(await lossOf(a, bridge.ipv4Gateway, '-I', 'tagged')).toBe(100)
})
