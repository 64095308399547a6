import { cleanHost } from '@berth/controller/audit/clean-host'
import { failedPrecondition } from '@berth/errors'
import { AuditService, FindingSchema, FindingSide } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { create } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import { compare } from '../domain/audit.ts'
import type { RouteContext } from './context.ts'

/** AuditService: the rows of this host against the service's folder, in both directions; and what to do about what lies there for nobody. */
export function auditRoutes(ctx: RouteContext): ServiceImpl<typeof AuditService> {
  return {
    async auditHost({ host }) {
      if (host !== '' && host !== ctx.hostId)
        throw failedPrecondition('WRONG_HOST', `this is host ${ctx.hostId}`, { field: 'host', metadata: { host: ctx.hostId } })
      await ctx.clean.sure()
      const { expected, found, holds } = await ctx.audit()
      const findings = compare(expected, found).map(({ side, ...rest }) =>
        create(FindingSchema, { service: 'image', side: FindingSide[side], ...rest }),
      )
      const count = (...lists: unknown[][]) => BigInt(lists.reduce((sum, list) => sum + list.length, 0))
      return {
        findings,
        host: ctx.hostId,
        holdings: holds.map(({ ownerId, slot, imageId }) => ({ service: 'image', ownerId, slot, resourceId: imageId })),
        compared: {
          file: count(found.blobs, found.roots, found.tmp),
          folder: count(found.kernels),
          row: count(expected.copies, expected.kernels),
        },
      }
    },
    cleanHost: (request, { signal }) => cleanHost(ctx.clean, request, signal),
  }
}
