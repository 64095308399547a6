import { hostKey, loadOrMakeKey, type SigningKey } from '@berth/rpc'
import { join } from 'node:path'
import type { SigningKeyRecord } from '../../domain/ports.ts'
import { readHostId } from './host-id.ts'

/** How long a key is trusted after it was last registered, in milliseconds: 7 days. */
const trustMs = 7 * 86_400_000

export type OwnKeys = {
  /** Signs the identity tokens of callers. */
  gateway: SigningKey
  /** This gateway's and its host's public keys with a new end. */
  records(): SigningKeyRecord[]
  /** Looks whether the host has got its id; true once it has. */
  refresh(): Promise<boolean>
}

/** Loads, or makes, `<data>/gateway/signing.key` and `<data>/host.key`. */
export async function ownKeys(dataDir: string): Promise<OwnKeys> {
  const [gateway, host] = await Promise.all([loadOrMakeKey(join(dataDir, 'gateway', 'signing.key')), hostKey(dataDir)])
  let hostId = await readHostId(dataDir)
  return {
    gateway,
    records() {
      const notAfter = new Date(Date.now() + trustMs)
      const own = { kid: gateway.kid, publicKey: gateway.publicJwk.x, host: '', notAfter }
      return hostId ? [own, { kid: host.kid, publicKey: host.publicJwk.x, host: hostId, notAfter }] : [own]
    },
    async refresh() {
      hostId ||= await readHostId(dataDir)
      return hostId !== ''
    },
  }
}
