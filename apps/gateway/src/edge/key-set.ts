import type { JwkEntry } from '@berth/rpc'
import type { SigningKeyRecord, SigningKeyStore } from '../domain/ports.ts'

const freshMs = 5000

/**
 * The key set with which services check identity tokens, as JSON. Read from the store at most every five seconds; when that cannot be
 * asked, the last one read together with this gateway's own keys.
 *
 * @param own keys of this gateway and its host, in it from the first moment on
 */
export function keySet(store: SigningKeyStore, own: () => SigningKeyRecord[]): () => Promise<string> {
  let last: SigningKeyRecord[] = []
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined
  async function read(): Promise<void> {
    readAt = performance.now()
    last = await store.list().catch(() => last)
  }
  return async () => {
    if (performance.now() - readAt > freshMs) {
      reading ??= read().finally(() => {
        reading = undefined
      })
    }
    await reading
    const byId = new Map([...last, ...own()].map((key) => [key.kid, key]))
    return JSON.stringify({ keys: [...byId.values()].map(entry) })
  }
}

function entry({ kid, publicKey, host, notAfter }: SigningKeyRecord): JwkEntry & { alg: string; use: string } {
  const exp = Math.floor(notAfter.getTime() / 1000)
  return { kty: 'OKP', crv: 'Ed25519', x: publicKey, kid, alg: 'EdDSA', use: 'sig', exp, ...(host ? { host } : {}) }
}
