import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { bindCluster, clusterOf, type Database, type Fence } from '@berth/db'
import { aborted } from '@berth/errors'
import { bootId as currentBootId, endProcess, isAlive } from '@berth/host'
import type { Logger } from '@berth/telemetry'
import { hostInfo } from './host-info.ts'
import { highestEpoch, rememberEpoch } from './epoch-file.ts'
import { beat, type Held, heartbeatAgeMs, type LeaseKey, raiseEpoch } from './lease-row.ts'
import { type HeldLock, lockHolder, pidNamespace, tryLock } from './lock-file.ts'

const lookAgainMs = 100

export type HoldOptions = {
  db: Database
  /** The data folder of the system. */
  dataDir: string
  /** Name of the service's folder; default the schema's name. */
  service?: string
  /** Address by which other hosts reach this service, host:port. */
  advertise: string
  logger: Logger
  /** Ends the wait for the lock or the database. */
  signal: AbortSignal
  /** A heartbeat older than this is a holder that is stopped or stuck; default 15 s, in tests of the whole system `BERTH_TEST_STALE` milliseconds. */
  staleMs?: number
  /** Default a third of `staleMs`. */
  beatMs?: number
}

/** The hold of one process on one service's part of one host. */
export type Lease = AsyncDisposable &
  Fence & {
    bootId: string
    /** Aborts, with reason `LEASE_LOST`, when another process has taken over or the database has gone back to an earlier state: exit then. */
    signal: AbortSignal
  }

/**
 * Waits for the lock of `<data>/<service>/lock`, then raises the epoch. The lock is free the moment its holder dies. A holder whose heartbeat
 * is too old is ended, by pid and start time, before its lock is taken; one in another pid namespace cannot be, and is waited for.
 * The data folder belongs to the first database it is used with.
 *
 * @throws FailedPrecondition(`COPIED_DATA_FOLDER` | `FOREIGN_DATABASE`) and the signal's reason
 */
export async function holdHost(options: HoldOptions): Promise<Lease> {
  const { db, dataDir, service = db.service, advertise, logger, signal } = options
  const staleMs = options.staleMs ?? (Number(process.env['BERTH_TEST_STALE']) || 15_000)
  const host = await hostInfo(dataDir)
  const key = { service, hostId: host.id }
  const bootId = currentBootId()
  const folder = path.join(dataDir, service)
  const lock = await takeLock({ file: path.join(folder, 'lock'), db, key, bootId, logger, signal, staleMs })
  try {
    await bindCluster(dataDir, await whenPossible(() => clusterOf(db), logger, signal))
    const floor = await highestEpoch(folder)
    const held = await whenPossible(() => raiseEpoch(db, key, { bootId, address: advertise, floor }), logger, signal)
    await rememberEpoch(folder, held.epoch)
    logger.info({ host: host.id, epoch: held.epoch }, 'this process holds the host')
    return keep({ db, key, held, bootId, lock, logger, beatMs: options.beatMs ?? staleMs / 3 })
  } catch (error) {
    await lock.release()
    throw error
  }
}

type Take = { file: string; db: Database; key: LeaseKey; bootId: string; logger: Logger; signal: AbortSignal; staleMs: number }

async function takeLock({ file, db, key, bootId, logger, signal, staleMs }: Take): Promise<HeldLock> {
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted()
    const lock = await tryLock(file, bootId)
    if (lock) return lock
    const holder = await lockHolder(file)
    if (attempt === 0) logger.warn({ holder }, 'another process holds the host; waiting for it to end')
    const ageMs = await heartbeatAgeMs(db, key).catch(() => undefined)
    if (holder && ageMs !== undefined && ageMs > staleMs) {
      if (holder.pidNamespace !== pidNamespace()) logger.warn({ holder }, 'the holder is stuck in another pid namespace: end it there')
      else if (isAlive(holder) && !(await endProcess(holder, { graceMs: 0 }))) logger.error({ holder }, 'the holder is stuck in the kernel')
    }
    await delay(lookAgainMs, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

async function whenPossible<T>(run: () => Promise<T>, logger: Logger, signal: AbortSignal): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await run()
    } catch (error) {
      if (attempt % 30 === 0) logger.warn({ err: error }, 'the lease cannot be taken yet')
      await delay(Math.min(100 * (attempt + 1), 2_000), undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }
}

type Keep = { db: Database; key: LeaseKey; held: Held; bootId: string; lock: HeldLock; logger: Logger; beatMs: number }

function keep({ db, key, held, bootId, lock, logger, beatMs }: Keep): Lease {
  const { epoch } = held
  let { heartbeat } = held
  const lost = new AbortController()
  const lose = () => {
    if (lost.signal.aborted) return
    logger.error({ epoch }, 'another process has taken the host over, or the database has gone back to an earlier state')
    lost.abort(aborted('LEASE_LOST', 'another process has taken the host over, or the database has gone back to an earlier state'))
  }
  let beating: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    beating = beat(db, key, { epoch, heartbeat }).then(
      (beaten) => {
        if (beaten === undefined) lose()
        else if (beaten > heartbeat) heartbeat = beaten
      },
      (error: unknown) => logger.warn({ err: error }, 'no heartbeat'),
    )
  }, beatMs)
  return {
    ...key,
    epoch,
    bootId,
    signal: lost.signal,
    lose,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await beating
      await lock.release()
    },
  }
}
