import { describe, expect, it } from 'vitest'
import type { HostConfig, HostNetwork } from '../src/domain/host-network.ts'
import { recordedHost } from '../src/host/recorder.ts'
import { bridge, createWorld, names, portNumber } from './world.ts'

const port = portNumber(2)
const withPort: HostConfig = { names, bridges: [bridge], ports: [port] }
const without: HostConfig = { names, bridges: [bridge], ports: [] }
const { signal } = new AbortController()

async function onPaper() {
  const { host: network } = recordedHost()
  await network.ensureBridge(without, bridge, signal)
  return { network, [Symbol.asyncDispose]: () => Promise.resolve() }
}

const kinds: Record<string, () => Promise<AsyncDisposable & { network: HostNetwork }>> = { linux: () => createWorld(), recorder: onPaper }

describe.each(Object.entries(kinds))('the networking of a host: %s', (_name, open) => {
  it('has a port once it was made, and not any more when it was taken back; the comparison says so each time', async () => {
    await using world = await open()
    const { network } = world
    const lacking = async (config: HostConfig) => (await network.inspect(config, signal)).drift.map(({ side, kind }) => `${side} ${kind}`)
    await network.apply(without, signal)
    expect(await lacking(without)).toEqual([])
    expect(await lacking(withPort)).toContain('database-only tap')

    await network.ensureTap(names, port, signal)
    await network.ensureRules(names, bridge, port, signal)
    await network.setUp(port, signal)
    expect(await network.hasLink(port.tap)).toBe(true)
    expect(await lacking(withPort)).toEqual([])
    expect(await lacking(without)).toContain('host-only tap')

    await network.removeTap(port, signal)
    await network.removeRules(names, port, signal)
    expect(await network.hasLink(port.tap)).toBe(false)
    expect(await lacking(without)).toEqual([])
  })

  it('makes everything that the rows name when it is applied', async () => {
    await using world = await open()
    await world.network.apply(withPort, signal)
    expect((await world.network.inspect(withPort, signal)).drift).toEqual([])
    expect(await world.network.hasLink(port.tap)).toBe(true)
  })
})
