import { type Host, HostSchema, HypervisorSchema } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import type { Database } from '@berth/db'
import { notFound } from '@berth/errors'
import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { and, asc, eq, sql } from 'drizzle-orm'
import type { Hosts } from '../domain/api.ts'
import type { HostLimits } from '../domain/spec.ts'
import { type HostFacts, hosts } from './tables.ts'

/** A lease whose heartbeat is older is that of a host that is gone or cut off. */
const aliveSeconds = 15
/** What a host can do changes when its service is started anew. */
const limitsFreshMs = 5_000

/** Writes down what this host is, for the services of all hosts. */
export async function announceHost(db: Database, id: string, facts: HostFacts): Promise<void> {
  await db.transaction('host.announce', async (tx) => {
    await tx.insert(hosts).values({ id, facts }).onConflictDoUpdate({ target: hosts.id, set: { facts } })
  })
}

/** The hosts that have ever announced themselves, with their leases. */
export function hostsIn(db: Database, local: string): Hosts {
  const { leases } = db.tables
  const limits = new Map<string, HostLimits & { untilMs: number }>()

  function joined(hostId?: string) {
    const lease = and(eq(leases.hostId, hosts.id), eq(leases.service, db.service))
    const alive = sql<boolean>`${leases.heartbeat} > now() - make_interval(secs => ${aliveSeconds})`
    return db.read((queries) =>
      queries
        .select({ id: hosts.id, facts: hosts.facts, lease: leases, alive })
        .from(hosts)
        .leftJoin(leases, lease)
        .where(hostId === undefined ? undefined : eq(hosts.id, hostId))
        .orderBy(asc(hosts.id)),
    )
  }

  type Row = Awaited<ReturnType<typeof joined>>[number]
  const toHost = ({ id, facts, lease, alive }: Row): Host =>
    create(HostSchema, {
      id,
      name: facts.name,
      address: lease?.address ?? '',
      bootId: lease?.bootId ?? '',
      heartbeatTime: lease ? timestampFromDate(lease.heartbeat) : undefined,
      alive: alive ?? false,
      cpus: facts.cpus,
      memoryBytes: BigInt(facts.memoryBytes),
      hypervisors: facts.hypervisors.map((one) => create(HypervisorSchema, one)),
      local: id === local,
    })

  return {
    local,
    list: async () => (await joined()).map(toHost),
    async limits(hostId) {
      const known = limits.get(hostId)
      if (known && known.untilMs > performance.now()) return known
      const [row] = await joined(hostId)
      if (!row) throw notFound('HOST_NOT_FOUND', `no host “${hostId}”`, { field: 'spec.host', metadata: { host: hostId } })
      const { cpus, memoryBytes, hypervisors } = row.facts
      const found = {
        cpus: Math.min(cpus, ...hypervisors.map(({ maxVcpus }) => maxVcpus)),
        memoryBytes,
        hypervisors: hypervisors.map(({ name }) => name),
        untilMs: performance.now() + limitsFreshMs,
      }
      limits.set(hostId, found)
      return found
    },
    async address(hostId) {
      const [row] = await joined(hostId)
      return row?.alive ? row.lease?.address : undefined
    },
  }
}
