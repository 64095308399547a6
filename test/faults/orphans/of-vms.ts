import { readFileSync } from 'node:fs'
import path from 'node:path'
import { away, data, facts, folder, processOf, quietly, SHORT, status, system, ULID, undo } from './ground.ts'
import { type Orphan, orphan } from './orphan.ts'

const service = 'instance'

/** Things of VMs. */
export const ofVms: Orphan[] = [
  orphan(
    'a process without a row',
    () => processOf('berth-shim', data('instance', `ins_${ULID}`, 'launch.json')),
    () => ({ service, side: 'HOST_ONLY', kind: 'process' }),
  ),
  orphan(
    'a folder without a row',
    () => folder(data('instance', `ins_${ULID}`)),
    () => ({ service, side: 'HOST_ONLY', kind: 'folder', name: data('instance', `ins_${ULID}`) }),
  ),
  orphan(
    'a run folder with its sockets without a row',
    () => folder(path.join(system().runDir, SHORT)),
    () => ({ service, side: 'HOST_ONLY', kind: 'socket', name: path.join(system().runDir, SHORT) }),
  ),
  orphan(
    'a control group without a row',
    () => controlGroup(`berth-${facts.host.slice(-8)}-${SHORT}`),
    () => ({ service, side: 'HOST_ONLY', kind: 'cgroup', name: `berth-${facts.host.slice(-8)}-${SHORT}` }),
  ),
  orphan(
    'a row of a running instance without a process',
    () => status('instance.instances', facts.stopped, 'state', 'INSTANCE_STATE_RUNNING')(),
    () => ({ service, side: 'DATABASE_ONLY', kind: 'process', resourceId: facts.stopped }),
  ),
  orphan(
    'a row of a started instance without its folder',
    () => away(data('instance', facts.running)),
    () => ({ service, side: 'DATABASE_ONLY', kind: 'folder', resourceId: facts.running }),
  ),
  orphan(
    'a process of an instance that is off by its row',
    () => processOf('berth-shim', data('instance', facts.stopped, 'launch.json')),
    () => ({ service, side: 'MISMATCH', kind: 'process', resourceId: facts.stopped }),
  ),
]

/** In the first hierarchy that lets us: where VMs get theirs. */
function controlGroup(name: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  const roots = mounts.flatMap((line) => {
    const [, root = '', type, options = ''] = line.split(' ')
    return type === 'cgroup2' || (type === 'cgroup' && /(^|,)(memory|cpu)(,|$)/.test(options)) ? [path.join(root, name)] : []
  })
  for (const group of roots) quietly('mkdir', group)
  undo.push(() => roots.forEach((group) => quietly('rmdir', group)))
}
