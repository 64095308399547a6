import type { Orphan, Slice } from '@berth/controller/audit/clean-host'
import { failedPrecondition } from '@berth/errors'
import type { Logger } from '@berth/telemetry'
import { orphansAmong } from '../domain/audit.ts'
import { inOrder } from '../domain/orphans.ts'
import type { FoundVm } from '../domain/ports.ts'
import { auditedRows } from '../store/audited.ts'
import type { InstanceContext } from './context.ts'

type Parts = Pick<InstanceContext, 'hypervisor' | 'files' | 'store'> & { host: string; sure: () => Promise<void>; logger: Logger }

/** The clean-up of what no instance has on this host. Ids are never given twice, so that nothing gets a row again while it goes. */
export function cleaning({ hypervisor, files, store, host, sure, logger }: Parts): Slice {
  const lives = async (short: string): Promise<boolean> =>
    (await hypervisor.found()).some((one) => one.kind === 'process' && one.short === short)
  const remove = async (found: FoundVm, signal: AbortSignal): Promise<void> => {
    if (found.kind !== 'process' && (await lives(found.short))) throw failedPrecondition('IN_USE', 'its VM still runs')
    await (found.kind === 'folder' ? files.discard(found) : hypervisor.discard(found, signal))
  }
  return {
    service: 'instance',
    hostId: host,
    sure,
    logger,
    async orphans(options) {
      // The host first: what appears meanwhile has a row by then.
      const found = (await Promise.all([hypervisor.found(), files.found()])).flat()
      const orphans = orphansAmong(found, await auditedRows(store))
      return inOrder(orphans, options).map(
        ({ found: one, keep }): Orphan => ({ kind: one.kind, name: one.name, keep, remove: (signal) => remove(one, signal) }),
      )
    },
  }
}
