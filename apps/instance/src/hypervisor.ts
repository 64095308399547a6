import { availableParallelism } from 'node:os'
import path from 'node:path'
import { bootId, createRunner } from '@berth/host'
import type { Logger } from '@berth/telemetry'
import type { InstanceConfig } from './config.ts'
import type { Images } from './domain/peers.ts'
import type { Folders } from './domain/place.ts'
import type { Hypervisor } from './domain/ports.ts'
import { dialAgent } from './guest/session.ts'
import { chooseAccelerator } from './host/qemu/accelerator.ts'
import { qemuHypervisor } from './host/qemu/driver.ts'
import { allowKvm } from './host/qemu/kvm-access.ts'
import { probeKvm } from './host/qemu/probe.ts'
import { qemuVersion } from './host/qemu/version.ts'
import { recorderHypervisor } from './host/recorder/driver.ts'
import { installShim } from './shim/binary.ts'
import { shims } from './shim/shims.ts'

export type OpenOptions = {
  config: InstanceConfig
  folders: Folders
  logger: Logger
  /** Takes what has to be given back when the service ends. */
  stack: AsyncDisposableStack
  images: Images
  hostId: string
  /** Of the lease. */
  epoch: number
  life: AbortSignal
}

/** The hypervisor that the configuration names. */
export async function openHypervisor({ config, folders, logger, stack, images, hostId, epoch, life }: OpenOptions): Promise<Hypervisor> {
  const hostBootId = bootId()
  if (config.hypervisor === 'recorder')
    return recorderHypervisor({ file: path.join(folders.dataDir, 'recorder.jsonl'), hostBootId, folders })
  const runner = stack.use(createRunner({ logger, title: 'berth-instance-run' }))
  const binary = config.qemuBinary
  const version = await qemuVersion(runner, binary)
  const installed = await installShim(config.shimBinary, path.join(folders.dataDir, 'bin'))
  const holder = { id: hostId, name: 'probe', project: 'default', actor: 'berth-instance', uid: config.uids.first }
  const kernel = (signal: AbortSignal) => images.ensureKernel(holder, '', signal)
  const probe = (signal: AbortSignal) => probeKvm({ runner, binary, version, hostBootId, dataDir: folders.dataDir, kernel }, signal)
  return qemuHypervisor({
    shims: shims({ runner, binary: installed, hostBootId, epoch, testBootId: config.testBootId }),
    ...{ binary, version, dialAgent },
    maxVcpus: availableParallelism(),
    accelerator: chooseAccelerator(probe, life),
    allowKvm: (uid, signal) => allowKvm(runner, uid, signal),
    folders,
  })
}
