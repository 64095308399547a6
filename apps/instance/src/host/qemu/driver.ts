import { rm } from 'node:fs/promises'
import path from 'node:path'
import type { Machine, VmmProcess, VmPlace } from '../../domain/machine.ts'
import type { Folders } from '../../domain/place.ts'
import type { Hypervisor, HypervisorFacts, Look, Vm } from '../../domain/ports.ts'
import type { Launch, Shims } from '../../domain/shims.ts'
import type { Chooser } from './accelerator.ts'
import { type Accelerator, descriptor, monitorPath, qemuArguments, tapDescriptor } from './arguments.ts'
import { discard } from '../discard.ts'
import { found } from '../found.ts'
import { clearCgroup } from '../cgroup.ts'
import { type AgentDialer, endedAtOnce, qemuVm } from './vm.ts'

export type QemuOptions = {
  shims: Shims
  binary: string
  version: string
  maxVcpus: number
  /** Decides once what VMs get: KVM only where a real kernel booted on it. */
  accelerator: Chooser
  dialAgent: AgentDialer
  /** Lets the uid open /dev/kvm; called before a start on KVM. */
  allowKvm: (uid: number, signal: AbortSignal) => Promise<void>
  folders: Folders
}

/** QEMU's own needs over the guest's memory, of which the translator's buffer is the most. */
const overheadBytes = { tcg: 768 * 1024 * 1024, kvm: 256 * 1024 * 1024 }

/** A start waits so long for a probe that is under way; then it gets TCG, and a later one may get better. */
const probePatienceMs = 12_000

/** Verbs that work now. */
const capabilities = ['boot', 'shutdown', 'kill', 'console', 'exec']

/** QEMU on q35, every VM under its own shim. */
export function qemuHypervisor(options: QemuOptions): Hypervisor {
  const { shims, binary, version, maxVcpus, accelerator, dialAgent, allowKvm } = options

  async function facts(patienceMs: number): Promise<HypervisorFacts> {
    const chosen = await accelerator(patienceMs)
    return { name: 'qemu', version, accelerator: chosen.accelerator, acceleratorReason: chosen.reason, capabilities, maxVcpus }
  }

  const vm = (place: VmPlace, process: VmmProcess): Vm => qemuVm({ place, process, shims, dialAgent })

  async function attach(place: VmPlace, signal: AbortSignal, how?: Look): Promise<Vm | undefined> {
    const process = await shims.find(place, signal, how)
    return process && vm(place, process)
  }

  async function start(machine: Machine, signal: AbortSignal): Promise<Vm> {
    const running = await attach(machine, signal)
    if (running) return running
    const chosen = (await accelerator(probePatienceMs)).accelerator
    if (chosen === 'kvm') await allowKvm(machine.uid, signal)
    // A start that was cut off may have left a shim that is just coming up: it keeps a second one out, and is found.
    const failure = await shims.launch(launchOf(machine, chosen, binary), signal).catch((error: unknown) => error)
    const started = await attach(machine, signal)
    if (started) return started
    if (failure) throw failure
    throw await endedAtOnce(shims, machine)
  }

  return {
    name: 'qemu',
    facts,
    start,
    attach,
    events: shims.journal,
    console: shims.console,
    found: () => found(options.folders),
    discard,
    async clear(place, signal) {
      await shims.gone(place, signal)
      await clearCgroup(place.cgroup, signal)
      await rm(place.runDir, { recursive: true, force: true })
    },
  }
}

function launchOf(machine: Machine, accelerator: Accelerator, binary: string): Launch {
  return {
    place: machine,
    argv: qemuArguments(machine, accelerator, binary),
    descriptors: [
      { name: descriptor.console, kind: 'listen', path: path.join(machine.runDir, 'console.sock') },
      { name: descriptor.shimMonitor, kind: 'listen', path: path.join(machine.runDir, 'shim-vmm.sock') },
      { name: descriptor.monitor, kind: 'listen', path: monitorPath(machine) },
      ...machine.nics.map(({ tap }, index) => ({ name: tapDescriptor(index), kind: 'tap' as const, tap })),
    ],
    console: descriptor.console,
    monitor: descriptor.shimMonitor,
    memoryLimitBytes: machine.memoryBytes + overheadBytes[accelerator],
  }
}
