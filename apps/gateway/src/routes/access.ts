import { AccessService } from '@berth/proto/berth/access/v1/access_pb.ts'
import { callerOf, type MintedToken, type ServiceEntry, service } from '@berth/rpc'
import { durationMs, timestampFromMs } from '@bufbuild/protobuf/wkt'

export type AccessOptions = {
  /** Version of this gateway. */
  version: string
  /** Mints an identity token for the caller. */
  mint(caller: { actor: string; project: string; roles: string[] }, audience: string, lifetimeMs: number): Promise<MintedToken>
}

const defaultLifetimeMs = 300_000

/** Identities: who calls, and tokens for those who call services directly. */
export function accessRoutes({ version, mint }: AccessOptions): ServiceEntry {
  return service(AccessService, {
    async createToken({ audience, lifetime }, ctx) {
      const { token, expiresAtMs } = await mint(callerOf(ctx), audience, lifetime ? durationMs(lifetime) : defaultLifetimeMs)
      return { token, expireTime: timestampFromMs(expiresAtMs) }
    },
    getCaller(_request, ctx) {
      const { actor, project, roles } = callerOf(ctx)
      return { actor, project, roles, serverVersion: version }
    },
  })
}
