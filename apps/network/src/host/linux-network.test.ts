import type { Runner } from '@berth/host'
import { expect, it } from 'vitest'
import type { HostConfig } from '../domain/host-network.ts'
import { linuxNetwork } from './linux-network.ts'

const config: HostConfig = {
  names: { host: 'hst_a', short: 'abcd', table: 'berth_abcd', tapPrefix: 'btabcd' },
  bridges: [
    {
      ...{ networkId: 'net_a', bridge: 'br-abcdefgh', mac: '02:00:00:00:00:01', ipv6Subnet: 'fd00:0:0:1::/64' },
      ...{ ipv4Subnet: '10.94.0.0/24', ipv4Gateway: '10.94.0.1' },
    },
  ],
  ports: [
    {
      ...{ portId: 'prt_a', bridge: 'br-abcdefgh', tap: 'btabcd1234567', mac: '02:00:00:00:00:02' },
      ...{ ipv4: '10.94.0.2', ipv6: 'fd00:0:0:1::2', uid: 900_000, up: true },
    },
  ],
}
const links = [{ ifname: 'btabcd1234567', address: '02:00:00:00:00:02', flags: ['UP'], ifindex: 7 }]

/** A host whose rules are gone, with a tap that is up, on which `write` decides about new rules. */
function flushedHost(write: (script: string) => void) {
  const lines: string[] = []
  const runner: Runner = {
    async run(argv, { input }) {
      if (argv[0] === 'nft' && argv[1] === '-f') write(String(input))
      if (input !== undefined && argv[0] === 'ip') lines.push(...String(input).trim().split('\n'))
      const read = argv.includes('link') ? JSON.stringify(links) : argv[0] === 'nft' ? '{"nftables": []}' : '[]'
      return { stdout: read, stderr: '', code: 0 }
    },
  }
  const settings = { read: async () => undefined, write: async () => undefined, hasLink: async () => true }
  const hostSettings = { apply: async () => undefined, restore: async () => undefined }
  return { lines, network: linuxNetwork({ runner, settings, hostSettings }) }
}

it('takes every port down whose rules cannot be written, and puts none up', async () => {
  const { lines, network } = flushedHost(() => {
    throw new Error('nft does not take it')
  })
  await expect(network.apply(config, AbortSignal.timeout(5_000))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    reason: 'RULES_NOT_WRITTEN',
  })
  expect(lines).toEqual(['link set dev btabcd1234567 down'])
})

it('writes rules into fresh tables, in one transaction, where ours do not fit into those that are there', async () => {
  const scripts: string[] = []
  const { lines, network } = flushedHost((script) => {
    scripts.push(script)
    if (!script.includes('delete table inet berth_abcd')) throw new Error('a set of that name has another type')
  })
  await network.apply(config, AbortSignal.timeout(5_000))
  expect(scripts[1]).toMatch(
    /^add table bridge berth_abcd\ndelete table bridge berth_abcd\nadd table inet berth_abcd\ndelete table inet berth_abcd\n/,
  )
  expect(scripts[1]?.endsWith(scripts[0] ?? 'none')).toBe(true)
  expect(lines).not.toContain('link set dev btabcd1234567 down')
})
