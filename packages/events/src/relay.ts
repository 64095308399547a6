import { type Database, reach } from '@berth/db'
import type { Logger } from '@berth/telemetry'
import { and, asc, inArray, isNotNull, isNull, sql } from 'drizzle-orm'
import type { Broker } from './broker.ts'
import { bodyOf, decodeRow, headersOf, type Sequenced, subjectOf } from './envelope.ts'

const batch = 500
const markEveryMs = 200
/** Rows that their own process has not published by then are published by any. */
const abandonedAfter = sql`now() - interval '5 seconds'`

export type Relay = AsyncDisposable & {
  /** There may be new rows: give them their place soon. */
  kick(): void
  /** Publishes what nobody has published, e.g. after the broker came back. */
  rescue(all: boolean): void
}

export type RelayOptions = { db: Database; broker: Broker; logger: Logger; onSequenced: (rows: Sequenced[]) => void }

/**
 * Gives committed outbox rows their gap-free `seq` and publishes them. Every process of a schema has one; the lock on the relay row lets one
 * at a time give places, which makes them visible in order. Publishing is outside any transaction and never waited for.
 */
export function startRelay({ db, broker, logger, onSequenced }: RelayOptions): Relay {
  const publisher = createPublisher({ db, broker, logger })
  const turn = singleFlight(async () => {
    await reach('relay.before')
    for (let rows = await sequence(db); rows.length > 0; rows = rows.length === batch ? await sequence(db) : []) {
      onSequenced(rows)
      void publisher.publish(rows)
    }
  }, logger)
  const rescue = singleFlight(async (all: boolean) => {
    for (let more = true; more && broker.state() === 'connected'; ) {
      const rows = await unpublished(db, all)
      await publisher.publish(rows)
      // Nothing stored: the broker is in trouble, and the next poll tries again.
      more = (await publisher.mark()) > 0 && rows.length === batch
    }
  }, logger)
  return {
    kick: () => turn.run(undefined),
    rescue: (all) => rescue.run(all),
    async [Symbol.asyncDispose]() {
      await turn.stop()
      await rescue.stop()
      await publisher.stop()
    },
  }
}

/** One transaction: places for up to 500 rows. Whoever waited for the lock sees what was committed meanwhile. */
export async function sequence(db: Database): Promise<Sequenced[]> {
  const given = sql`select given as row from ${sql.identifier(db.service)}.relay_turn(${batch}) given`
  const found = await db.statement<{ row: Record<string, unknown> }>('relay', given)
  return found.map(({ row }) => decodeRow(row)).toSorted((a, b) => a.seq - b.seq)
}

async function unpublished(db: Database, all: boolean): Promise<Sequenced[]> {
  const { outbox } = db.tables
  const where = and(isNotNull(outbox.seq), isNull(outbox.publishTime), all ? undefined : sql`${outbox.seqTime} < ${abandonedAfter}`)
  const rows = await db.read((queries) => queries.select().from(outbox).where(where).orderBy(asc(outbox.seq)).limit(batch))
  return rows.map((row) => ({ ...row, seq: row.seq ?? 0 }))
}

/** Publishes, and marks what was stored at most five times a second. */
function createPublisher({ db, broker, logger }: Omit<RelayOptions, 'onSequenced'>) {
  const stored: string[] = []
  let timer: NodeJS.Timeout | undefined
  const open = new Set<Promise<void>>()

  async function mark(): Promise<number> {
    clearTimeout(timer)
    timer = undefined
    const ids = stored.splice(0)
    const { outbox } = db.tables
    if (ids.length === 0) return 0
    try {
      await reach('relay.published')
      await db.statement('relay', sql`update ${outbox} set publish_time = now() where ${inArray(outbox.id, ids)} returning 1`)
      return ids.length
    } catch (error) {
      logger.warn({ err: error }, 'published events could not be marked; they will be published again')
      return 0
    }
  }

  function markSoon(): void {
    const marking = mark().then(() => {})
    open.add(marking)
    void marking.finally(() => open.delete(marking))
  }

  async function send(rows: Sequenced[]): Promise<void> {
    const messages = rows.map((row) => ({
      subject: subjectOf(row),
      id: row.id,
      headers: headersOf(db.service, row),
      body: bodyOf(db.service, row),
    }))
    stored.push(...(await broker.publish(messages)))
    timer ??= setTimeout(markSoon, markEveryMs)
  }

  return {
    mark,
    publish(rows: Sequenced[]): Promise<void> {
      const sending = send(rows).catch((error: unknown) => logger.warn({ err: error }, 'events could not be published'))
      open.add(sending)
      return sending.finally(() => open.delete(sending))
    },
    async stop(): Promise<void> {
      await Promise.all(open)
      await mark()
    },
  }
}

/** Runs `work` once at a time; calls that come meanwhile make it run once more, with the last argument. */
export function singleFlight<T>(work: (argument: T) => Promise<void>, logger: Logger): { run(argument: T): void; stop(): Promise<void> } {
  let running: Promise<void> | undefined
  let next: { argument: T } | undefined
  let stopped = false
  async function loop(first: T): Promise<void> {
    for (let turn: { argument: T } | undefined = { argument: first }; turn && !stopped; turn = next) {
      next = undefined
      await work(turn.argument).catch((error: unknown) => logger.warn({ err: error }, 'the relay will try again'))
    }
    running = undefined
  }
  return {
    run(argument) {
      if (stopped) return
      if (running) next = { argument }
      else running = loop(argument)
    },
    async stop() {
      stopped = true
      await running
    },
  }
}
