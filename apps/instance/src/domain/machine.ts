/** One disk of a machine; the guest finds it by its serial. */
export type MachineDisk = {
  /** `root`, `scratch`, `config`, `disk0` …; at most 20 bytes, the limit of virtio-blk. */
  serial: string
  /** Granted path on the host; always format `raw`. */
  path: string
  readOnly: boolean
}

/** One interface of a machine. */
export type MachineNic = { tap: string; macAddress: string }

/** Where a VM's things lie. Every name comes from the instance's row, so that a redo finds what an earlier try made. */
export type VmPlace = {
  instanceId: string
  /** `<data>/instance/<id>`: launch.json, config.erofs, journal, console.log. */
  folder: string
  /** Short folder for sockets, at most 80 bytes: a socket path has 107. */
  runDir: string
  /** Uid and gid of the VMM. */
  uid: number
  /** Name of the VM's cgroup. */
  cgroup: string
}

/** All that a hypervisor needs to start a VM; the exact device layout. */
export type Machine = VmPlace & {
  vcpus: number
  memoryBytes: number
  kernelPath: string
  initramfsPath: string
  kernelCommandLine: string
  disks: MachineDisk[]
  nics: MachineNic[]
}

/** A VMM process that cannot be mistaken for a later one with the same pid. */
export type VmmProcess = { pid: number; startTicks: number }

/** One entry of a VM's journal: what happened to it, whoever was alive to see it. */
export type VmEvent = { seq: number; timeMs: number } & (
  | { kind: 'started'; pid: number; startTicks: number; hostBootId: string }
  | { kind: 'reset' | 'panicked' | 'powered-off' | 'continued' | 'paused' | 'resumed' }
  | { kind: 'held'; signal: number }
  | { kind: 'adopted'; shimPid: number }
  | { kind: 'exited'; known: boolean; code: number; signal: number; outOfMemory: boolean; startFailed: boolean; message: string }
)
