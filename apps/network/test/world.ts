import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRunner, type Runner } from '@berth/host'
import type { BridgeConfig, HostConfig, HostNetwork, PortConfig } from '../src/domain/host-network.ts'
import { hostNames } from '../src/domain/names.ts'
import { hostSettingsKeeper } from '../src/host/host-settings.ts'
import { linuxNetwork } from '../src/host/linux-network.ts'
import { createNamespace, joinNamespaces, type Namespace } from './namespace.ts'

export const names = hostNames('hst_1', 'abcd')
export const bridge: BridgeConfig = {
  networkId: 'net_1',
  bridge: 'br-abcdaaaa',
  mac: '02:00:00:00:00:01',
  ipv4Subnet: '10.94.0.0/24',
  ipv4Gateway: '10.94.0.1',
  ipv6Subnet: 'fd12:3456:789a::/64',
}

/** Port number `index` of the network, from 2 on. */
export function portNumber(index: number, up = true): PortConfig {
  const digit = 'abcdefghij'.charAt(index)
  return {
    portId: `prt_${index}`,
    bridge: bridge.bridge,
    tap: `btabcdaaaaaa${digit}`,
    mac: `02:00:00:00:00:0${index}`,
    ipv4: `10.94.0.${index}`,
    ipv6: `fd12:3456:789a::${index}`,
    uid: 900_000 + index,
    up,
  }
}

export type World = AsyncDisposable & {
  host: Namespace
  network: HostNetwork
  config: HostConfig
  dir: string
  signal: AbortSignal
  /** Every command that the network has run on the host. */
  commands: string[][]
  /** A namespace that stands for a guest: the port's link is a veth of the tap's name, whose other end is the guest's `eth0`. */
  guest(port: PortConfig): Promise<Namespace>
  /** A namespace behind the host's uplink, 192.0.2.2 and 2001:db8::2. */
  outside(): Promise<Namespace>
}

/** A host in a namespace of its own, with the network made and rules in place. */
export async function createWorld(ports: PortConfig[] = []): Promise<World> {
  const stack = new AsyncDisposableStack()
  const runner = stack.use(createRunner({ logger: { debug() {}, warn() {} }, title: 'berth-network-test' }))
  const dir = await mkdtemp(join(tmpdir(), 'berth-network-'))
  stack.defer(() => rm(dir, { recursive: true }))
  const host = stack.use(await createNamespace(runner, 'host'))
  const hostSettings = hostSettingsKeeper(host.settings, join(dir, 'settings.json'))
  const commands: string[][] = []
  const watched: Runner = { run: (argv, options) => (commands.push(argv), host.runner.run(argv, options)) }
  const network = linuxNetwork({ runner: watched, settings: host.settings, hostSettings })
  const config: HostConfig = { names, bridges: [bridge], ports }
  const { signal } = new AbortController()
  await network.ensureBridge(config, bridge, signal)
  return {
    host,
    network,
    config,
    dir,
    signal,
    commands,
    async guest(port) {
      const guest = stack.use(await createNamespace(runner, 'guest'))
      await joinNamespaces(host, port.tap, guest, 'eth0')
      await guest.must('ip', 'link', 'set', 'eth0', 'address', port.mac)
      await network.ensureTap(names, port, signal)
      await network.ensureRules(names, bridge, port, signal)
      await network.setUp(port, signal)
      await guest.must('ip', 'link', 'set', 'eth0', 'up')
      await guest.must('ip', 'addr', 'add', `${port.ipv4}/24`, 'dev', 'eth0')
      await guest.must('ip', 'addr', 'add', `${port.ipv6}/128`, 'dev', 'eth0', 'nodad')
      await guest.must('ip', 'route', 'add', 'default', 'via', bridge.ipv4Gateway)
      await guest.must('ip', '-6', 'route', 'add', 'default', 'via', 'fe80::1', 'dev', 'eth0')
      return guest
    },
    async outside() {
      const outside = stack.use(await createNamespace(runner, 'outside'))
      await joinNamespaces(host, 'uplink', outside, 'eth0')
      for (const [space, link, last] of [[host, 'uplink', 1] as const, [outside, 'eth0', 2] as const]) {
        await space.must('ip', 'link', 'set', link, 'up')
        await space.must('ip', 'addr', 'add', `192.0.2.${last}/24`, 'dev', link)
        await space.must('ip', 'addr', 'add', `2001:db8::${last}/64`, 'dev', link, 'nodad')
      }
      return outside
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
