import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Instance, RestartPolicy } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { until } from '@berth/testing'
import { startRegistry } from '@berth/testing/registry'
import { create, exec } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'
import { type Arrival, openUplink, UPLINK, type Uplink } from '../support/uplink.ts'
import { shimOf } from '../support/vmm.ts'

export const NAMES = ['adopt-0', 'adopt-1', 'adopt-2'] as const

/** Says a number every 100 ms on the console and to the listener, and does what comes back; asks its DNS server once a second. */
const WORKLOAD = `
( while :; do busybox nslookup $HOSTNAME.berth.internal >/dev/null 2>&1 && r=ok || r=failed; echo "$HOSTNAME dns $r"; sleep 1; done | nc ${UPLINK.listener} ${UPLINK.port} >/dev/null ) &
i=0; while :; do i=$((i+1)); echo "line $i" >&2; echo "$HOSTNAME counts $i"; sleep 0.1; done | nc ${UPLINK.listener} ${UPLINK.port} | sh`

/** A VM as it was when it was last looked at. */
export interface KnownVm {
  readonly id: string
  readonly name: string
  /** Pid of its shim. */
  readonly shim: number
  readonly pid: number
  /** Pid and start time of its VMM. */
  readonly vmm: string
  readonly bootId: string
  readonly folder: string
}

/** Three small VMs whose guests can be heard and told what to do without any service. */
export interface ThreeVms extends AsyncDisposable {
  readonly system: TestSystem
  readonly uplink: Uplink
  readonly vms: readonly KnownVm[]
  vm(index: number): KnownVm
  start(name: string, policy: RestartPolicy): Promise<Instance>
  get(id: string): Promise<Instance>
  /** Notes what must stay the same from here on. */
  know(): Promise<void>
  counts(name: string): Arrival[]
  asks(name: string): Arrival[]
  /** Connection by which the guest counts now. */
  connection(name: string): number
  /** Has the guest itself run a command. */
  tell(name: string, command: string): void
  /** Whether an exec works. */
  answers(vm: KnownVm): Promise<boolean>
  supervisorPid(): number
  /** Whether a service says so, by its usual port. */
  ready(port: number): Promise<boolean>
}

export async function startThreeVms(portOffset: number, start = startTestSystem): Promise<ThreeVms> {
  await using stack = new AsyncDisposableStack()
  const uplink = stack.use(await openUplink())
  const registry = stack.use(await startRegistry())
  const system = stack.use(await start({ portOffset, env: { BERTH_INSECURE_REGISTRIES: registry.host } }))
  const reference = await publish(registry, 'adopted', busyboxImage({ Cmd: ['/bin/sh', '-c', WORKLOAD] }).image)
  let vms: KnownVm[] = []
  const of = (name: string, what: string) => uplink.arrivals.filter(({ text }) => text.startsWith(`${name} ${what} `))

  async function known(name: string): Promise<KnownVm> {
    const { id, status } = await three.get(name)
    const folder = path.join(system.dataDir, 'instance', id)
    const pid = status?.vmmPid ?? 0
    return { id, name, folder, pid, shim: shimOf(folder) ?? 0, vmm: `${pid} ${status?.vmmStartTicks}`, bootId: status?.bootId ?? '' }
  }

  const three = {
    system,
    uplink,
    get vms() {
      return vms
    },
    vm: (index: number) => vms[index] as KnownVm,
    start: (name: string, restartPolicy: RestartPolicy) => create(system.api, name, reference, { memoryBytes: 128n << 20n, restartPolicy }),
    async get(id: string) {
      const { instance } = await system.api.instances.getInstance({ id })
      if (!instance?.status) throw new Error('no instance')
      return instance
    },
    async know() {
      vms = await Promise.all(NAMES.map(known))
    },
    counts: (name: string) => of(name, 'counts'),
    asks: (name: string) => of(name, 'dns'),
    connection: (name: string) => three.counts(name).at(-1)?.connection ?? 0,
    tell: (name: string, command: string) => uplink.send(three.connection(name), command),
    answers: ({ id }: KnownVm) =>
      exec(system.api, id, ['echo', 'here'], { signal: AbortSignal.timeout(5_000) }).then(
        ({ stdout }) => stdout === 'here\n',
        () => false,
      ),
    supervisorPid: () => (JSON.parse(readFileSync(path.join(system.dataDir, 'supervisor.json'), 'utf8')) as { pid: number }).pid,
    ready: (port: number) =>
      fetch(`http://127.0.0.1:${port + portOffset + 100}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      ),
  }
  await Promise.all(NAMES.map((name) => three.start(name, RestartPolicy.NEVER)))
  const heard = () => NAMES.every((name) => three.counts(name).length > 10 && three.asks(name).length > 1)
  await until('all guests count and ask', heard, 60_000)
  await three.know()
  const all = stack.move()
  return Object.assign(three, { [Symbol.asyncDispose]: () => all.disposeAsync() })
}
