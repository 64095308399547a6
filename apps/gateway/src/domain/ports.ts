/** A client's key as the store knows it: never the key itself. */
export type ApiKey = { id: string; name: string; project: string; roles: string[] }

export type ApiKeyStore = {
  /** The key with this hash that is not revoked; undefined when there is none. @throws Unavailable(`DATABASE_UNAVAILABLE`) */
  findByHash(hash: string): Promise<ApiKey | undefined>
  /** Whether there is a key with this hash and it is revoked. */
  isRevoked(hash: string): Promise<boolean>
  /** Adds a key; one with this hash that is there already stays as it is. */
  add(key: { hash: string; name: string; project: string; roles: string[] }): Promise<void>
  /** Notes that a key was used now. */
  touch(id: string): Promise<void>
}

/** A public key that identity tokens may be signed with; `host` is the host's id, empty for a gateway's own. */
export type SigningKeyRecord = { kid: string; publicKey: string; host: string; notAfter: Date }

export type SigningKeyStore = {
  /** Adds keys, or moves the end of those that are there. */
  put(keys: SigningKeyRecord[]): Promise<void>
  /** Keys that have not ended. */
  list(): Promise<SigningKeyRecord[]>
}
