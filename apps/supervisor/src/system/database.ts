import path from 'node:path'
import { databaseVariable, migrate, rememberedCluster, roleOf, rolePasswords, type SchemaName, schemaNames, urlAs } from '@berth/db'

/** URL each service connects with, by schema: the same server and database, the service's own role. */
export type DatabaseUrls = Readonly<Record<SchemaName, string>>

/**
 * Brings the schemas up to date and says with which URL each service connects. A URL that is given (`BERTH_<SCHEMA>_DATABASE_URL`) is left as it is:
 * on a second host the roles exist and their passwords are not known here.
 *
 * @param options.url of a superuser or owner
 * @throws FailedPrecondition(`FOREIGN_DATABASE`) when the data folder belongs to another database, before anything is made in this one
 */
export async function prepareDatabase(options: {
  readonly url: string
  readonly home: string
  readonly dataDir: string
  readonly env: NodeJS.ProcessEnv
}): Promise<DatabaseUrls> {
  const passwords = await rolePasswords(path.join(options.dataDir, 'database-roles.json'))
  await migrate({ url: options.url, home: options.home, passwords, cluster: await rememberedCluster(options.dataDir) })
  const entries = schemaNames.map((schema) => {
    const given = options.env[databaseVariable(schema)]
    return [schema, given || urlAs(options.url, roleOf(schema), passwords[schema])] as const
  })
  return Object.fromEntries(entries) as Record<SchemaName, string>
}
