import { createPublicKey, type KeyObject, randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { keyIdOf } from './signing-key.ts'

/** A key that tokens may be signed with; `host` is empty for a gateway's, which may not sign for the host plane; `own` is the key of this host. */
export type TrustedKey = { publicKey: KeyObject; host: string; notAfterMs: number; own?: boolean }

/** One entry of the gateway's JWKS; `exp` is in seconds, `host` the id of the host it belongs to. */
export type JwkEntry = { kty: string; crv?: string; x?: string; kid?: string; host?: string; exp?: number }

const maxKeys = 4096

/** Reads a JWKS; entries that are no Ed25519 keys, or whose id is not their thumbprint, are left out. */
export function parseKeySet(text: string): Map<string, TrustedKey> {
  const { keys } = JSON.parse(text) as { keys?: JwkEntry[] }
  if (!Array.isArray(keys)) throw new Error('no JWKS')
  const found = new Map<string, TrustedKey>()
  for (const { kty, crv, x, kid, host, exp } of keys.slice(0, maxKeys)) {
    if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || kid !== keyIdOf(x)) continue
    const publicKey = createPublicKey({ key: { kty, crv, x }, format: 'jwk' })
    found.set(kid, {
      publicKey,
      host: typeof host === 'string' ? host : '',
      notAfterMs: typeof exp === 'number' ? exp * 1000 : Number.POSITIVE_INFINITY,
    })
  }
  return found
}

/** Fetches the key set; gives up after 3 s. The text is returned with it, to be kept. */
export async function fetchKeySet(url: string): Promise<{ keys: Map<string, TrustedKey>; text: string }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(3000), redirect: 'error' })
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  const text = await response.text()
  return { keys: parseKeySet(text), text }
}

/** The last good key set, for a start while the gateway is down; empty when there is none. */
export async function readKeySet(file: string): Promise<Map<string, TrustedKey>> {
  try {
    return parseKeySet(await readFile(file, 'utf8'))
  } catch {
    return new Map()
  }
}

/** Keeps the key set. */
export async function writeKeySet(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  await writeFile(temporary, text, { mode: 0o600 })
  await rename(temporary, file)
}
