import type { VmPlace } from './machine.ts'

export type Folders = {
  /** The service's own folder, `<data>/instance`. */
  dataDir: string
  /** `/run/berth`. */
  runDir: string
}

/** Characters of an id that make its short name: 50 random bits, unique among the rows by an index. */
const shortLength = 10

/** The short name of an instance on its host. */
export function shortName(instanceId: string): string {
  return instanceId.slice(-shortLength)
}

/** Where a VM's things lie: all from id and uid of its row. */
export function placeOf({ id, uid }: { id: string; uid: number }, { dataDir, runDir }: Folders): VmPlace {
  const short = shortName(id)
  return { instanceId: id, uid, folder: `${dataDir}/${id}`, runDir: `${runDir}/${short}`, cgroup: `berth-${short}` }
}
