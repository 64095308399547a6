import { setTimeout as delay } from 'node:timers/promises'
import type { Api } from '@berth/cli/api'
import { BOUND_MS, insist } from './ask.ts'

/** What was shot at on the host is noticed and repaired within this, on a machine under load. */
const REPAIR_MS = 60_000

/** Waits until no operation is open. @throws when that does not come */
export async function noOpenOperations(api: Api): Promise<void> {
  for (const end = performance.now() + BOUND_MS; ; await delay(500)) {
    const open = await openOperations(api)
    if (open.length === 0) return
    if (performance.now() > end) throw new Error(`operations that do not end: ${open.join(', ')}`)
  }
}

async function openOperations(api: Api): Promise<string[]> {
  const open: string[] = []
  for (let pageToken = ''; ; ) {
    const request = { pageSize: 1000, pageToken }
    const { operations, nextPageToken } = await insist((options) => api.operations.listOperations(request, options))
    for (const { endTime, kind, resourceName, progress } of operations)
      if (!endTime) open.push(`${kind} of ${resourceName} (${progress?.stage})`)
    if (!nextPageToken) return open
    pageToken = nextPageToken
  }
}

/**
 * Waits until the audit finds nothing in either direction.
 *
 * @param least how many objects it must have compared, so that an audit that looks at nothing does not count
 * @returns how long that took, in milliseconds
 * @throws with what it goes on finding
 */
export async function cleanAudit(api: Api, least: number): Promise<number> {
  const start = performance.now()
  for (;;) {
    const { findings, compared } = await insist((options) => api.audit.auditHost({}, options))
    const total = Object.values(compared).reduce((sum, count) => sum + Number(count), 0)
    if (findings.length === 0 && total >= least) return performance.now() - start
    if (performance.now() - start > REPAIR_MS) {
      const found = findings.map(({ service, side, kind, name, message }) => `${service} ${side} ${kind} ${name}: ${message}`)
      throw new Error(`the audit compared ${total} objects and finds\n    ${found.join('\n    ')}`)
    }
    await delay(1_000)
  }
}
