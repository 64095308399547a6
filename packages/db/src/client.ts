import postgres from 'postgres'

export type ClientOptions = {
  /** `postgres://user:password@host:port/name`; `?host=/folder` names a Unix socket. */
  url: string
  /** Connections at most; default 4. */
  pool?: number
  /** False behind a pooler that does not know named statements; default true. */
  prepare?: boolean
  /** Shown in pg_stat_activity. */
  name?: string
  /** Called when a connection has been closed, or could not be made. */
  onclose?: () => void
}

/** A postgres.js client that connects when first used. */
export function createClient({ url, pool = 4, prepare = true, name = 'berth', onclose }: ClientOptions): postgres.Sql {
  const { address, socket } = splitSocket(url)
  return postgres(address, {
    ...(socket === undefined ? {} : { host: socket }),
    max: pool,
    prepare,
    fetch_types: false,
    connect_timeout: 5,
    // The driver's own grows to 20 s, and queries of that time hang: callers shall hear at once that the database is away.
    backoff: () => 0.1 + 0.1 * Math.random(),
    onnotice: () => {},
    ...(onclose ? { onclose } : {}),
    connection: { application_name: name },
  })
}

/** postgres.js sends unknown query parameters to the server: the socket folder is taken out first. */
function splitSocket(url: string): { address: string; socket: string | undefined } {
  const parsed = new URL(url)
  const socket = parsed.searchParams.get('host')
  if (socket === null) return { address: url, socket: undefined }
  parsed.searchParams.delete('host')
  return { address: parsed.href, socket }
}

/** The same server and database as another role. */
export function urlAs(url: string, user: string, password: string): string {
  const parsed = new URL(url)
  parsed.username = user
  parsed.password = password
  return parsed.href
}

/** The same server and role, another database. */
export function urlOfDatabase(url: string, name: string): string {
  const parsed = new URL(url)
  parsed.pathname = `/${name}`
  return parsed.href
}
