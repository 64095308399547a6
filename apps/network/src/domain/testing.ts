import type { BridgeConfig, PortConfig } from './host-network.ts'

/** A network on a host, for tests. */
export const bridge: BridgeConfig = {
  networkId: 'net_1',
  bridge: 'br-abcdaaaa',
  mac: '02:00:00:00:00:01',
  ipv4Subnet: '10.94.0.0/24',
  ipv4Gateway: '10.94.0.1',
  ipv6Subnet: 'fd12:3456:789a::/64',
}

/** A port on it, for tests. */
export const port: PortConfig = {
  portId: 'prt_1',
  bridge: bridge.bridge,
  tap: 'btabcdaaaaaaa',
  mac: '02:00:00:00:00:02',
  ipv4: '10.94.0.2',
  ipv6: 'fd12:3456:789a::2',
  uid: 900_001,
  up: true,
}
