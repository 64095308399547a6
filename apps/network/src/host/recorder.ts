import { once } from 'node:events'
import type { DnsServer } from '../domain/dns-server.ts'
import type { BridgeConfig, Drift, HostConfig, HostNetwork, PortConfig, Undo } from '../domain/host-network.ts'
import type { HostRecord } from '../domain/record.ts'

export type HostAdapters = { host: HostNetwork; dns: DnsServer; record: HostRecord }

/**
 * A host on paper: it remembers bridges, taps, rules and DNS servers as long as its process lives, and runs no command. For measuring what the service
 * itself costs.
 */
export function recordedHost(): HostAdapters {
  const bridges = new Map<string, BridgeConfig>()
  const taps = new Map<string, PortConfig>()
  const ruled = new Set<string>()
  const done = Promise.resolve()

  const makeTap = (port: PortConfig): void => void taps.set(port.tap, { ...port, up: port.up && taps.get(port.tap)?.up === true })
  const setUp = (port: PortConfig): void => void taps.set(port.tap, port)

  function driftOf(config: HostConfig): Drift[] {
    const drift: Drift[] = []
    const lacks = (kind: Drift['kind'], name: string, resourceId: string): void => {
      drift.push({ side: 'database-only', kind, name, resourceId, message: `${name} is not there` })
    }
    for (const { bridge, networkId } of config.bridges) if (!bridges.has(bridge)) lacks('bridge', bridge, networkId)
    for (const { tap, portId, up } of config.ports) {
      if (!taps.has(tap)) lacks('tap', tap, portId)
      if (up && !ruled.has(tap)) lacks('rule', tap, portId)
    }
    const wanted = new Set(config.ports.map(({ tap }) => tap))
    for (const tap of taps.keys()) {
      if (wanted.has(tap)) continue
      const undo: Undo = { by: 'ip', lines: [`link del dev ${tap}`] }
      drift.push({ side: 'host-only', kind: 'tap', name: tap, resourceId: '', message: `no port has ${tap}`, undo })
    }
    return drift
  }

  const host: HostNetwork = {
    apply(config) {
      for (const bridge of config.bridges) bridges.set(bridge.bridge, bridge)
      for (const port of config.ports) {
        setUp(port)
        ruled.add(port.tap)
      }
      return Promise.resolve([])
    },
    ensureBridge(_config, bridge) {
      bridges.set(bridge.bridge, bridge)
      return Promise.resolve([])
    },
    hasLink: (name) => Promise.resolve(name.startsWith('br-') || taps.has(name)),
    ensureTap: (_names, port) => done.then(() => makeTap(port)),
    ensureRules: (_names, _bridge, port) => done.then(() => void ruled.add(port.tap)),
    setUp: (port) => done.then(() => setUp(port)),
    removeTap: ({ tap }) => done.then(() => void taps.delete(tap)),
    removeRules: (_names, { tap }) => done.then(() => void ruled.delete(tap)),
    discard: ({ name }) => done.then(() => void taps.delete(name)),
    tapsInUse: () => Promise.resolve(new Map()),
    // Nobody deletes what is on paper.
    tableDeleted: (signal) => once(signal, 'abort').then(() => signal.throwIfAborted()),
    inspect: (config) =>
      Promise.resolve({ drift: driftOf(config), compared: { bridge: config.bridges.length, tap: taps.size, rule: ruled.size } }),
    routes: () => Promise.resolve([]),
    describe: () => Promise.resolve([...bridges.keys(), ...taps.keys()].map((name) => `${name}\n`).join('')),
    cleanUp(config) {
      for (const { bridge } of config.bridges) bridges.delete(bridge)
      for (const { tap } of config.ports) {
        taps.delete(tap)
        ruled.delete(tap)
      }
      return done
    },
  }
  return { host, dns: recordedDns(), record: { write: () => done } }
}

function recordedDns(): DnsServer {
  const serving = new Set<string>()
  const done = Promise.resolve()
  return {
    ensure({ bridge }) {
      serving.add(bridge)
      return Promise.resolve({ running: true, reason: '' })
    },
    isRunning: ({ bridge }) => Promise.resolve(serving.has(bridge)),
    identity: () => Promise.resolve(undefined),
    setGuest: () => done,
    dropGuest: () => done,
    stop: (bridge) => done.then(() => void serving.delete(bridge)),
    discard: () => done,
    inspect: (bridges) => Promise.resolve({ drift: [], compared: { process: bridges.length } }),
  }
}
