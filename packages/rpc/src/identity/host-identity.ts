import { type MintedToken, mintToken } from './mint-token.ts'
import { loadOrMakeKey, type SigningKey } from './signing-key.ts'

/** Where a client gets the token of its next call from. */
export type TokenSource = () => Promise<string>

export type HostIdentityOptions = {
  /** `<data>/host.key`; made when it is missing. */
  keyFile: string
  /** Service that is called. */
  audience: string
  /** Who calls: `berth-<service>`. */
  actor: string
  /** Project that names are looked up in; default `default`. */
  project?: string
  /** Roles, for public methods; default none. The host plane needs none. */
  roles?: string[]
  /** Id of the host; default not said. */
  host?: string
}

const renewBeforeMs = 60_000

/** The identity of a service on its host: tokens of 5 minutes signed with the host's key, renewed a minute before their end. */
export function hostIdentity({ keyFile, project = 'default', roles = [], ...rest }: HostIdentityOptions): TokenSource {
  let key: Promise<SigningKey> | undefined
  let current: Promise<MintedToken> | undefined
  let validUntilMs = 0
  return async () => {
    if (!current || Date.now() > validUntilMs - renewBeforeMs) {
      key ??= loadOrMakeKey(keyFile)
      validUntilMs = Date.now() + 300_000
      current = key.then((loaded) => mintToken({ ...rest, key: loaded, project, roles, plane: 'host' }))
      current.catch(() => {
        key = undefined
        current = undefined
      })
    }
    return (await current).token
  }
}
