import { setTimeout as pause } from 'node:timers/promises'
import { isBerthError } from '@berth/errors'
import type { Drift } from '../domain/host-network.ts'
import { keyOf } from '../domain/owner.ts'
import { recordOf } from '../domain/record.ts'
import { bridgeConfigOf, setNetworkHostState } from '../store/network-hosts.ts'
import { isReady, portConfigOf, setPortState } from '../store/ports.ts'
import { type HostRows, type NetworkContext, readHost } from './context.ts'
import { finishRelease } from './release-port.ts'

/** A table that was flushed, a bridge or a tap that was deleted is found within this time. */
const compareEveryMs = 5_000
/** A DNS server that died is started again within this time and a moment. */
const dnsEveryMs = 2_000

/** Rules that others delete again and again are compared so often at most, and a watch that fails is tried again after so long. */
const watchAgainMs = 250
const watchFailedMs = 10_000

/**
 * Compares host and database for ever, and repairs what differs: every few seconds, and at once when somebody deletes rules, since guests are
 * without them until then.
 */
export async function convergeLoop(ctx: NetworkContext, signal: AbortSignal, everyMs = compareEveryMs): Promise<void> {
  let sooner = new AbortController()
  const watching = watchRules(ctx, signal, () => sooner.abort())
  let failures = 0
  while (!signal.aborted) {
    try {
      await convergeOnce(ctx, signal, failures > 0)
      failures = 0
    } catch (error) {
      if (signal.aborted) break
      failures += 1
      ctx.logger.warn({ err: error, failures }, 'the host could not be compared with the database')
    }
    const waitMs = everyMs * Math.min(2 ** failures, 2) * (0.75 + Math.random() / 4)
    await pause(waitMs, undefined, { signal: AbortSignal.any([signal, sooner.signal]) }).catch(() => undefined)
    sooner = new AbortController()
  }
  await watching
}

async function watchRules(ctx: NetworkContext, signal: AbortSignal, deleted: () => void): Promise<void> {
  while (!signal.aborted) {
    const waitMs = await ctx.host.tableDeleted(signal).then(
      () => {
        deleted()
        return watchAgainMs
      },
      (error: unknown) => {
        if (!signal.aborted) ctx.logger.warn({ err: error }, 'the rules of the host are not watched; they are compared all the same')
        return watchFailedMs
      },
    )
    await pause(waitMs, undefined, { signal }).catch(() => undefined)
  }
}

/** Starts DNS servers that died, for ever. */
export async function dnsLoop(ctx: NetworkContext, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(dnsEveryMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    try {
      const { places } = await readHost(ctx)
      for (const place of places.filter(({ networkId }) => ctx.known.has(networkId))) {
        if (await ctx.dns.isRunning(bridgeConfigOf(place))) continue
        await ctx.gate.whole(() => reviveDns(ctx, place, signal))
      }
    } catch (error) {
      if (!signal.aborted) ctx.logger.warn({ err: error }, 'DNS servers could not be looked after')
    }
  }
}

/**
 * One comparison. The look is taken while ports come and go, so what it finds is only a suspicion: the repair looks again, and leaves
 * alone what is being worked on.
 *
 * @param all repairs whatever the look says: the first time, when nothing is known of what our chains look like
 */
export async function convergeOnce(ctx: NetworkContext, signal: AbortSignal, all = false): Promise<void> {
  await finishReleases(ctx, signal)
  const { config, places } = await readHost(ctx)
  if (places.length === 0) return
  const { drift } = await ctx.host.inspect(config, signal)
  const repairable = drift.filter(({ side }) => side !== 'host-only')
  const unseen = places.some(({ networkId }) => !ctx.known.has(networkId))
  if (!all && !unseen && repairable.length === 0) return
  if (repairable.length > 0)
    ctx.logger.warn({ drift: repairable.slice(0, 20), count: repairable.length }, 'the host is not as it should be')
  await ctx.gate.whole(async (busy) => repair(ctx, busy, repairable, signal))
}

async function repair(ctx: NetworkContext, busy: ReadonlySet<string>, drift: Drift[], signal: AbortSignal): Promise<void> {
  const rows = await readHost(ctx, busy)
  const { config, places } = rows
  await ctx.record.write(
    recordOf(
      config,
      places.flatMap(({ accepts }) => accepts),
      [],
    ),
  )
  const accepts = await ctx.host.apply(config, signal).catch(async (error: unknown) => {
    if (isBerthError(error) && error.reason === 'RULES_NOT_WRITTEN') await tellClosed(ctx, rows, error.message)
    throw error
  })
  const processes = []
  for (const place of places) {
    const bridge = bridgeConfigOf(place)
    // Its sockets hang on the bridge that was.
    const restart = drift.some(({ kind, name, side }) => kind === 'bridge' && name === place.bridge && side === 'database-only')
    const { reason } = await ctx.dns.ensure(bridge, { signal, restart })
    await setNetworkHostState(ctx.stores, ctx.lease, place, {
      message: reason,
      accepts: accepts.filter((rule) => rule.bridge === place.bridge),
    })
    ctx.known.add(place.networkId)
    const process = await ctx.dns.identity(bridge)
    if (process) processes.push(process)
  }
  await ctx.record.write(recordOf(config, accepts, processes))
  await writePorts(ctx, rows)
}

/** Ports without rules are down; networks and ports say so until a repair succeeds. */
async function tellClosed(ctx: NetworkContext, { wanted, places }: HostRows, message: string): Promise<void> {
  for (const place of places) await setNetworkHostState(ctx.stores, ctx.lease, place, { message, accepts: place.accepts })
  for (const row of wanted) await setPortState(ctx.stores, ctx.lease, row, { failure: message, up: false })
}

/** After a repair everything the rows want is so; rows that say otherwise are put right. */
async function writePorts(ctx: NetworkContext, { wanted, places }: HostRows): Promise<void> {
  for (const row of wanted) {
    const place = places.find(({ networkId }) => networkId === row.extra.networkId)
    if (!place) continue
    const port = portConfigOf(row, place.bridge)
    await ctx.dns.setGuest(bridgeConfigOf(place), { ...port, hostname: row.extra.hostname })
    if (!isReady(row) || row.status.up !== port.up) await setPortState(ctx.stores, ctx.lease, row, { failure: '', up: port.up })
  }
}

async function finishReleases(ctx: NetworkContext, signal: AbortSignal): Promise<void> {
  const { ports } = await readHost(ctx)
  for (const { id, extra, deleteTime } of ports) {
    if (deleteTime === null) continue
    const key = keyOf({ kind: extra.ownerKind, id: extra.ownerId, slot: extra.ownerSlot })
    await ctx.gate
      .shared(key, signal, async (until) => {
        const row = await ctx.stores.ports.byId(id)
        if (row?.deleteTime) await finishRelease(ctx, row, until)
      })
      .catch((error: unknown) => {
        // The others' turn must come; this one's comes again with the next pass.
        ctx.logger.warn({ err: error, port: id }, 'a release could not be finished')
      })
  }
}

async function reviveDns(ctx: NetworkContext, place: HostRows['places'][number], signal: AbortSignal): Promise<void> {
  const bridge = bridgeConfigOf(place)
  if (await ctx.dns.isRunning(bridge)) return
  const { running, reason } = await ctx.dns.ensure(bridge, { signal })
  if (running) ctx.logger.warn({ bridge: bridge.bridge }, 'DNS for guests had ended and runs again')
  await setNetworkHostState(ctx.stores, ctx.lease, place, { message: reason, accepts: place.accepts })
  const { config, places } = await readHost(ctx)
  const processes = (await Promise.all(config.bridges.map((one) => ctx.dns.identity(one)))).filter((one) => one !== undefined)
  await ctx.record.write(
    recordOf(
      config,
      places.flatMap(({ accepts }) => accepts),
      processes,
    ),
  )
}
