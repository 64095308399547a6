import { createHash } from 'node:crypto'
import { failedPrecondition } from '@berth/errors'
import type postgres from 'postgres'
import { createClient } from '../client.ts'
import { translate } from '../failures.ts'
import { newId } from '../ids.ts'
import { foreignDatabase } from './cluster.ts'
import type { Migration } from './common-sql.ts'
import { ensureRole, grantSchema } from './roles.ts'
import { migrationsOf, type SchemaName, schemaNames } from './sources.ts'

export type MigrateOptions = {
  /** A superuser, or an owner of the database that may make roles. */
  url: string
  /** Root of the clone: `apps/<service>/migrations` lie below it. */
  home: string
  /** Password of each role, used only when the role is made. At least 16 characters of `A-Z a-z 0-9 _ -`. */
  passwords: Record<SchemaName, string>
  /** Default: all. */
  schemas?: readonly SchemaName[]
  /** Id that the database must have; default: whatever it has, or a new one. */
  cluster?: string
}

export type Migrated = {
  /** Id of this database, made by the first migration. */
  clusterId: string
  /** Steps applied now, `<schema>/<name>`. */
  applied: string[]
  /** Schemas whose role was made now: for the others the password given here may not be the one in force. */
  rolesMade: SchemaName[]
}

const lockKey = 0x6265727468

/**
 * Brings all schemas up to date under one lock, everything or nothing; running it again changes nothing.
 *
 * @throws FailedPrecondition(`POSTGRES_TOO_OLD` | `FOREIGN_DATABASE` | `MIGRATION_CHANGED`), Unavailable
 */
export async function migrate({ url, home, passwords, schemas = schemaNames, cluster }: MigrateOptions): Promise<Migrated> {
  const plans = await Promise.all(schemas.map(async (schema) => ({ schema, steps: await migrationsOf(schema, home) })))
  const client = createClient({ url, pool: 1, name: 'berth-migrate' })
  try {
    return await client.begin(async (sql) => {
      await sql`select pg_advisory_xact_lock(${lockKey})`
      await requireVersion(sql)
      if (cluster !== undefined) await requireCluster(sql, cluster)
      const clusterId = await ensureLedger(sql)
      const done: Migrated = { clusterId, applied: [], rolesMade: [] }
      for (const { schema, steps } of plans) {
        if (await ensureRole(sql, schema, passwords[schema])) done.rolesMade.push(schema)
        await sql.unsafe(`create schema if not exists ${schema}`)
        done.applied.push(...(await applySteps(sql, schema, steps)))
        await sql.unsafe(`insert into ${schema}.cluster (id) values ('${clusterId}') on conflict do nothing`)
        await grantSchema(sql, schema)
      }
      return done
    })
  } catch (error) {
    throw translate(error)
  } finally {
    await client.end({ timeout: 5 })
  }
}

async function requireVersion(sql: postgres.TransactionSql): Promise<void> {
  const [row] = await sql<{ version: string }[]>`select current_setting('server_version_num') as version`
  if (Number(row?.version) < 150_000) throw failedPrecondition('POSTGRES_TOO_OLD', 'Postgres 15 or newer is needed')
}

async function requireCluster(sql: postgres.TransactionSql, cluster: string): Promise<void> {
  const [ledger] = await sql<{ there: boolean }[]>`select to_regclass('berth.cluster') is not null as there`
  const [row] = ledger?.there ? await sql<{ id: string }[]>`select id from berth.cluster` : []
  if (row?.id !== cluster) throw foreignDatabase(cluster, row?.id ?? '')
}

async function ensureLedger(sql: postgres.TransactionSql): Promise<string> {
  await sql.unsafe(`
    create schema if not exists berth;
    create table if not exists berth.migrations (
      schema text not null, name text not null, checksum text not null, apply_time timestamptz not null default now(), primary key (schema, name)
    );
    create table if not exists berth.cluster ("only" boolean primary key default true check ("only"), id text not null);
    insert into berth.cluster (id) values ('${newId('clu')}') on conflict do nothing;
  `)
  const [row] = await sql<{ id: string }[]>`select id from berth.cluster`
  return row?.id ?? ''
}

async function applySteps(sql: postgres.TransactionSql, schema: string, steps: Migration[]): Promise<string[]> {
  const known = await sql<{ name: string; checksum: string }[]>`select name, checksum from berth.migrations where schema = ${schema}`
  const checksums = new Map(known.map(({ name, checksum }) => [name, checksum]))
  const applied: string[] = []
  for (const step of steps) {
    const checksum = createHash('sha256').update(step.sql).digest('hex')
    const before = checksums.get(step.name)
    if (before === checksum) continue
    if (before !== undefined)
      throw failedPrecondition('MIGRATION_CHANGED', `${schema}/${step.name} was changed after it had been applied: add a new step instead`)
    await sql.unsafe(step.sql)
    await sql`insert into berth.migrations (schema, name, checksum) values (${schema}, ${step.name}, ${checksum})`
    applied.push(`${schema}/${step.name}`)
  }
  return applied
}
