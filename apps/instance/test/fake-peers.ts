import { notFound } from '@berth/errors'
import type { Holder, Peers, PortAnswer } from '../src/domain/peers.ts'

/** The three neighbours, in memory, with what they hold for whom: `instance/slot`. */
export type FakePeers = Peers & {
  held: Set<string>
  /** Slots of ports that are up. */
  up: Set<string>
  /** References that pull for ever. */
  slow: Set<string>
}

/** Neighbours that answer at once. The image `missing` does not exist. */
export function fakePeers(): FakePeers {
  const held = new Set<string>()
  const up = new Set<string>()
  const slow = new Set<string>()
  const key = ({ id }: Holder, slot: string): string => `${id}/${slot}`
  const hold = (holder: Holder, slot: string): string => {
    held.add(key(holder, slot))
    return key(holder, slot)
  }
  const drop = (holder: Holder, slot: string): Promise<void> => {
    held.delete(key(holder, slot))
    up.delete(key(holder, slot))
    return Promise.resolve()
  }
  return {
    held,
    up,
    slow,
    images: {
      async ensure(holder, reference) {
        if (reference === 'missing') throw notFound('IMAGE_NOT_FOUND', 'no such image')
        hold(holder, 'root')
        if (slow.has(reference)) return { operationId: 'imgop_x', done: 5, total: 10 }
        const config = { entrypoint: ['/bin/app'], cmd: [], env: [], user: '', workingDir: '', stopSignal: 0 }
        return { id: 'img_x', digest: 'sha256:0', rootPath: '/root.erofs', config }
      },
      ensureKernel: () => Promise.resolve({ kernelPath: '/vmlinux', initramfsPath: '/initramfs', version: '6.1', digest: 'd' }),
      release: (holder) => drop(holder, 'root'),
    },
    volumes: {
      ensure: (holder, slot) => Promise.resolve(`/disks/${hold(holder, slot)}`),
      detach: () => Promise.resolve(),
      release: drop,
    },
    networks: {
      ensure(holder, slot, wanted) {
        const name = hold(holder, slot)
        if (wanted.up) up.add(name)
        else up.delete(name)
        return Promise.resolve(port(holder, slot))
      },
      release: drop,
    },
  }
}

function port({ uid }: Holder, slot: string): PortAnswer {
  const last = `${uid % 250}`
  return {
    portId: `prt_${slot}`,
    networkId: 'net_default',
    tap: `bt${uid}`,
    guest: {
      macAddress: `52:54:00:00:00:${(uid % 250).toString(16).padStart(2, '0')}`,
      ipv4Cidr: `10.94.0.${last}/24`,
      ipv4Gateway: '10.94.0.1',
      ipv6Cidr: `fd00::${last}/128`,
      ipv6Gateway: 'fe80::1',
      dnsServers: ['10.94.0.1'],
      dnsSearch: [],
      mtu: 0,
    },
  }
}
