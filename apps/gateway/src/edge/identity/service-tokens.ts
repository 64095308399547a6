import { type Caller, type MintedToken, mintToken, type SigningKey } from '@berth/rpc'

/** The identity token with which a caller is known to a service. */
export type ServiceTokens = (caller: Caller, audience: string) => Promise<string>

const renewBeforeMs = 90_000
const maxKept = 10_000

/** Mints identity tokens of 5 minutes and keeps them until a minute and a half before their end. */
export function serviceTokens(key: SigningKey): ServiceTokens {
  const kept = new Map<string, { minted: Promise<MintedToken>; renewAtMs: number }>()
  return async ({ actor, project, roles }, audience) => {
    const name = JSON.stringify([audience, actor, project, roles])
    const found = kept.get(name)
    if (found && found.renewAtMs > Date.now()) return (await found.minted).token
    const minted = mintToken({ key, audience, actor, project, roles, plane: 'public' })
    minted.catch(() => kept.delete(name))
    if (kept.size >= maxKept) kept.delete(kept.keys().next().value ?? '')
    kept.delete(name)
    kept.set(name, { minted, renewAtMs: Date.now() + 300_000 - renewBeforeMs })
    return (await minted).token
  }
}
