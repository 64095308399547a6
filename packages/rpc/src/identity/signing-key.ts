import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** An Ed25519 key that signs identity tokens. */
export type SigningKey = { kid: string; privateKey: KeyObject; publicKey: KeyObject; publicJwk: PublicJwk }

/** The public part as it stands in a JWKS. */
export type PublicJwk = { kty: 'OKP'; crv: 'Ed25519'; x: string; kid: string; alg: 'EdDSA'; use: 'sig' }

/** The host's key, `<data>/host.key`; made by whoever comes first. */
export function hostKey(dataDir: string): Promise<SigningKey> {
  return loadOrMakeKey(join(dataDir, 'host.key'))
}

/**
 * Reads a key, and makes it (mode 0600) when there is none. Two processes that make it at once end with the same key: it is
 * written whole beside its place and linked there, which fails for the second.
 */
export async function loadOrMakeKey(file: string): Promise<SigningKey> {
  const there = await readKey(file)
  if (there) return there
  await mkdir(dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await handle.sync()
  } finally {
    await handle.close()
  }
  try {
    await link(temporary, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await unlink(temporary)
  }
  const made = await readKey(file)
  if (!made) throw new Error(`the key ${file} went away while it was made`)
  return made
}

/** Id of a key: its RFC 7638 thumbprint. */
export function keyIdOf(x: string): string {
  return createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url')
}

/** A public JWK of the 32 raw bytes in base64url. */
export function publicJwkOf(x: string): PublicJwk {
  return { kty: 'OKP', crv: 'Ed25519', x, kid: keyIdOf(x), alg: 'EdDSA', use: 'sig' }
}

async function readKey(file: string): Promise<SigningKey | undefined> {
  let pem: string
  try {
    pem = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const privateKey = createPrivateKey(pem)
  if (privateKey.asymmetricKeyType !== 'ed25519') throw new Error(`${file} holds no Ed25519 key`)
  const publicKey = createPublicKey(privateKey)
  const publicJwk = publicJwkOf(publicKey.export({ format: 'jwk' }).x ?? '')
  return { kid: publicJwk.kid, privateKey, publicKey, publicJwk }
}
