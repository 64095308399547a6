import type { VmPlace } from './machine.ts'

export type Folders = {
  /** The service's own folder, `<data>/instance`. */
  dataDir: string
  /** `/run/berth`. */
  runDir: string
  /** Id of the host: control groups of several installations stand side by side. */
  host: string
}

/** Characters of an id that make its short name: 50 random bits, unique among the rows by an index. */
const shortLength = 10

/** The short name of an instance on its host. */
export function shortName(instanceId: string): string {
  return instanceId.slice(-shortLength)
}

/** Where a VM's things lie: all from id and uid of its row. */
export function placeOf({ id, uid }: { id: string; uid: number }, { dataDir, runDir, host }: Folders): VmPlace {
  const short = shortName(id)
  return { instanceId: id, uid, folder: `${dataDir}/${id}`, runDir: `${runDir}/${short}`, cgroup: `${cgroupPrefix(host)}${short}` }
}

/** What the names of a host's control groups begin with. */
export function cgroupPrefix(host: string): string {
  return `berth-${host.slice(-8)}-`
}
