import type { AcceptRule, HostConfig } from './host-network.ts'

/** One object on the host that uninstalling takes back when nothing runs any more. */
export type Recorded =
  | { kind: 'bridge'; name: string }
  | { kind: 'table'; family: 'inet' | 'bridge'; table: string }
  | { kind: 'rule'; family: string; table: string; chain: string; comment: string }
  | { kind: 'process'; pid: number; startTicks: number }

/** Keeps the record of what this service has put on the host. */
export interface HostRecord {
  /** Writes it when it differs. */
  write(objects: Recorded[]): Promise<void>
}

/** Everything the config stands for on the host, with the processes that serve it. */
export function recordOf(
  { names, bridges }: HostConfig,
  accepts: AcceptRule[],
  processes: { pid: number; startTicks: number }[],
): Recorded[] {
  return [
    ...processes.map(({ pid, startTicks }): Recorded => ({ kind: 'process', pid, startTicks })),
    ...accepts.map(({ family, table, chain, bridge }): Recorded => ({ kind: 'rule', family, table, chain, comment: `berth ${bridge}` })),
    ...(['bridge', 'inet'] as const).map((family): Recorded => ({ kind: 'table', family, table: names.table })),
    ...bridges.map(({ bridge }): Recorded => ({ kind: 'bridge', name: bridge })),
  ]
}
