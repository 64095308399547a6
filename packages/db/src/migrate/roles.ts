import type postgres from 'postgres'

/** Role a service connects as. */
export function roleOf(schema: string): string {
  return `berth_${schema}`
}

/** Variable with the URL that a service connects with: `BERTH_IMAGE_DATABASE_URL` … */
export function databaseVariable(schema: string): string {
  return `BERTH_${schema.toUpperCase()}_DATABASE_URL`
}

/**
 * Makes the role of a schema unless it exists. The password and the time limits are set only when the role is made: a second host, or
 * whoever keeps the passwords in another way, is not disturbed.
 */
export async function ensureRole(sql: postgres.TransactionSql, schema: string, password: string): Promise<boolean> {
  const role = roleOf(schema)
  const found = await sql`select 1 from pg_roles where rolname = ${role}`
  if (found.length > 0) return false
  if (!/^[A-Za-z0-9_-]{16,}$/.test(password)) throw new TypeError('a role password is at least 16 characters of A-Z a-z 0-9 _ -')
  await sql.unsafe(`set local password_encryption = 'scram-sha-256'`)
  await sql.unsafe(`create role ${role} login nosuperuser nocreatedb nocreaterole noinherit password '${password}'`)
  for (const [name, value] of Object.entries(limits)) await sql.unsafe(`alter role ${role} set ${name} = '${value}'`)
  return true
}

/** On the role and not in the session, so that they hold behind a pooler too. */
const limits = { lock_timeout: '5s', statement_timeout: '30s', idle_in_transaction_session_timeout: '60s', search_path: '' }

/** Rights on the own schema and on nothing else. */
export async function grantSchema(sql: postgres.TransactionSql, schema: string): Promise<void> {
  const role = roleOf(schema)
  await sql.unsafe(`
    revoke all on schema ${schema} from public;
    grant usage on schema ${schema} to ${role};
    grant select, insert, update, delete on all tables in schema ${schema} to ${role};
    grant usage, select on all sequences in schema ${schema} to ${role};
    revoke insert, update, delete on ${schema}.cluster from ${role};
  `)
}
