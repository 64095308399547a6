import { FindingSideSchema } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { until } from '@berth/testing'
import { describe, expect, it } from 'vitest'
import { busybox } from './busybox.ts'
import { createTestHost, ownerNumber } from './service-fixture.ts'

const wish = (index: number, up = false) => ({
  owner: ownerNumber(index),
  project: 'default',
  actor: 'test',
  network: '',
  uid: 900_000 + index,
  up,
  hostname: `vm${index}`,
})

describe('the network service', () => {
  it('gives an owner one port, its tap down until it is asked for up, and takes it back whole', async () => {
    await using world = await createTestHost()
    await using service = await world.start()
    const first = await service.host.ensurePort(wish(1))
    expect(first.guest).toMatchObject({
      ipv4Cidr: '10.94.0.2/24',
      ipv4Gateway: '10.94.0.1',
      ipv6Gateway: 'fe80::1',
      dnsServers: ['10.94.0.1'],
    })
    const tap = first.grant?.target.value ?? ''
    expect(await world.space.must('ip', '-d', 'link', 'show', tap)).toMatch(/state DOWN(.|\n)*isolated on/)
    expect((await service.host.ensurePort(wish(1, true))).port).toMatchObject({ id: first.port?.id, status: { up: true, tap } })
    expect(await world.space.must('ip', 'link', 'show', tap)).toContain(',UP')
    expect(await service.host.ensurePort({ ...wish(1, true), uid: 900_077 })).toMatchObject({
      port: { id: first.port?.id, status: { up: true } },
    })
    expect(await world.space.must('ip', '-d', 'link', 'show', tap)).toContain('user 900077')
    const second = await service.host.ensurePort(wish(2))
    expect(second.port?.status?.ipv4Address).toBe('10.94.0.3')
    const listed = await service.networks.listPorts({})
    expect(listed.ports.map(({ id }) => id)).toEqual([first.port?.id, second.port?.id])
    expect((await service.networks.getNetwork({ id: 'default' })).network?.status?.hosts[0]).toMatchObject({
      ready: true,
      ipv4Subnet: '10.94.0.0/24',
    })
    expect((await service.audits.auditHost({})).findings).toEqual([])

    await service.host.releasePort({ owner: ownerNumber(1) })
    await service.host.releasePort({ owner: ownerNumber(1) })
    expect((await world.space.exec('ip', 'link', 'show', tap)).code).not.toBe(0)
    expect(await world.space.must('nft', 'list', 'ruleset')).not.toContain(tap)
    expect((await service.host.ensurePort(wish(3))).port?.status?.ipv4Address).toBe('10.94.0.2')
    const { findings, compared } = await service.audits.auditHost({})
    expect(findings).toEqual([])
    expect(compared).toMatchObject({ tap: 2n, bridge: 1n, process: 1n })
  })

  it('gives every one of many callers at once a port and an address of its own, and all callers of one owner the same', async () => {
    await using world = await createTestHost()
    await using service = await world.start()
    const many = await Promise.all(Array.from({ length: 20 }, (_, index) => service.host.ensurePort(wish(index % 10))))
    expect(new Set(many.map(({ port }) => port?.id)).size).toBe(10)
    expect(new Set(many.map(({ port }) => port?.status?.ipv4Address)).size).toBe(10)
    expect((await service.audits.auditHost({})).findings).toEqual([])
  })

  it('chooses another subnet where a route of the host is in the way, and says why', async () => {
    await using world = await createTestHost()
    await world.space.must('ip', 'link', 'add', 'vpn0', 'type', 'veth', 'peer', 'name', 'vpn1')
    await world.space.must('ip', 'link', 'set', 'vpn0', 'up')
    await world.space.must('ip', 'route', 'add', '10.94.0.0/17', 'dev', 'vpn0', 'table', '77')
    await using service = await world.start()
    const { network } = await service.host.ensureNetwork({ project: 'default', network: '' })
    expect(network?.status?.hosts[0]).toMatchObject({
      ipv4Subnet: '10.94.128.0/24',
      choiceReason: "10.94.0.0/24 overlaps the host's route to 10.94.0.0/17",
    })
  })

  it('refuses unknown networks and bad host names, with reason and field', async () => {
    await using world = await createTestHost()
    await using service = await world.start()
    await expect(service.host.ensurePort({ ...wish(1), network: 'none' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      reason: 'NETWORK_NOT_FOUND',
    })
    await expect(service.host.ensurePort({ ...wish(1), hostname: 'a,b' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'BAD_HOSTNAME',
      violations: [{ field: 'hostname' }],
    })
  })

  it('says when no address is left', async () => {
    await using world = await createTestHost()
    await using service = await world.start()
    await service.host.ensurePort(wish(1))
    await world.database.sql(`
      insert into network.ports (id, project, name, spec, status, host, creator, network_id, owner_kind, owner_id, owner_slot,
        address_number, ipv4, ipv6, mac, tap, uid, want_up, hostname)
      select 'prt_' || n, project, 'p' || n, '{}', '{}', host, creator, network_id, 'test', n::text, 'nic0',
        n, '10.94.0.' || n, 'fd00::' || n, 'mac' || n, 'tap' || n, 1, false, ''
      from network.ports, generate_series(3, 254) as n`)
    await expect(service.host.ensurePort(wish(2))).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'NO_FREE_ADDRESS' })
  })

  it('repairs a flushed ruleset, a chain put into its table, a deleted bridge and a deleted tap within ten seconds', async () => {
    await using world = await createTestHost()
    await using service = await world.start()
    const { grant } = await service.host.ensurePort(wish(1, true))
    const tap = grant?.target.value ?? ''
    const { network } = await service.host.ensureNetwork({ project: 'default', network: '' })
    const bridge = network?.status?.hosts[0]?.bridge ?? ''
    const clean = async () => (await service.audits.auditHost({})).findings.length === 0
    const table = /inet (berth_\w+)/.exec(await world.space.must('nft', 'list', 'tables'))?.[1] ?? ''
    for (const harm of [
      ['nft', 'flush', 'ruleset'],
      ['nft', `add chain inet ${table} planted { type filter hook forward priority -500; policy drop; }`],
      ['ip', 'link', 'del', tap],
      ['ip', 'link', 'del', bridge],
    ]) {
      await world.space.must(...harm)
      expect(await clean(), harm.join(' ')).toBe(false)
      await until(`${harm.join(' ')} is repaired`, clean)
    }
    expect(await world.space.must('ip', 'link', 'show', tap)).toContain(',UP')
    expect(await world.space.must('nft', 'list', 'ruleset')).not.toContain('planted')
  })

  it('makes a port though its bridge was deleted a moment before, and mends those that were on it', async () => {
    await using world = await createTestHost()
    await using service = await world.start()
    await service.host.ensurePort(wish(1, true))
    const { network } = await service.host.ensureNetwork({ project: 'default', network: '' })
    await world.space.must('ip', 'link', 'del', network?.status?.hosts[0]?.bridge ?? '')
    const { grant } = await service.host.ensurePort(wish(2, true))
    expect(await world.space.must('ip', 'link', 'show', grant?.target.value ?? '')).toContain(',UP')
    expect((await service.audits.auditHost({})).findings).toEqual([])
    const names = ['vm1', 'vm2'].map((name) => world.space.exec(busybox, 'nslookup', '-type=a', `${name}.berth.internal`, '10.94.0.1'))
    expect((await Promise.all(names)).map(({ stdout }) => /10\.94\.0\.[23]/.exec(stdout)?.[0])).toEqual(['10.94.0.2', '10.94.0.3'])
  })

  it('answers names of guests on the bridge alone, from a DNS server that outlives the service and is started again when it dies', async () => {
    await using world = await createTestHost()
    const service = await world.start()
    await service.host.ensurePort(wish(1, true))
    await service.host.ensurePort(wish(2, true))
    const look = (name: string, server = '10.94.0.1') => world.space.exec(busybox, 'nslookup', '-type=a', name, server)
    await until('the name is known', async () => (await look('vm2.berth.internal')).stdout.includes('10.94.0.3'))
    expect((await look('vm2.berth.internal', '127.0.0.1')).stdout).not.toContain('10.94.0.3')
    const dns = async () => (await world.space.must('pgrep', '-f', `^dnsmasq --conf-file=${world.dataDir}/`)).trim()
    const before = await dns()
    await service.kill('SIGKILL')
    expect((await look('vm2.berth.internal')).stdout).toContain('10.94.0.3')
    await using next = await world.start()
    await until('the next service has compared the host', async () => (await next.audits.auditHost({})).findings.length === 0)
    expect(await dns()).toBe(before)
    await next.host.releasePort({ owner: ownerNumber(2) })
    await until('the name is forgotten', async () => !(await look('vm2.berth.internal')).stdout.includes('10.94.0.3'))
    process.kill(Number(before), 'SIGKILL')
    await until('DNS runs again', async () => (await look('vm1.berth.internal')).stdout.includes('10.94.0.2'))
  })

  it('names every orphan of its own, in both directions, and nothing of another host on the same machine', async () => {
    await using world = await createTestHost('one')
    await using other = await createTestHost('two', world)
    await using service = await world.start()
    await using neighbour = await other.start()
    const { grant } = await service.host.ensurePort(wish(1, true))
    await neighbour.host.ensurePort({ ...wish(2), project: 'second' })
    await world.space.must('nft', 'add', 'table', 'inet', 'strangers')
    for (const one of [service, neighbour]) expect((await one.audits.auditHost({})).findings).toEqual([])

    const tap = grant?.target.value ?? ''
    const orphan = `${tap.slice(0, 6)}zzzzzzz`
    const table = `berth_${tap.slice(2, 6)}`
    await world.space.must('ip', 'tuntap', 'add', 'dev', orphan, 'mode', 'tap')
    await world.space.must('ip', 'link', 'add', `br-${tap.slice(2, 6)}zzzz`, 'type', 'bridge')
    await world.space.must('nft', 'add', 'element', 'bridge', table, 'macs', `{ ${orphan} . 02:00:00:00:00:77 }`)
    const { findings } = await service.audits.auditHost({})
    expect(findings.map(({ side, kind, name }) => `${FindingSideSchema.value[side]?.localName} ${kind} ${name}`).toSorted()).toEqual([
      `HOST_ONLY bridge br-${tap.slice(2, 6)}zzzz`,
      `HOST_ONLY rule ${table} macs ${orphan} . 02:00:00:00:00:77`,
      `HOST_ONLY tap ${orphan}`,
    ])
    expect((await neighbour.audits.auditHost({})).findings).toEqual([])
    await expect(service.audits.auditHost({ host: 'hst_other' })).rejects.toMatchObject({ reason: 'WRONG_HOST' })
  })
})
