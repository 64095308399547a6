/** Whose things: an instance. */
export type Holder = {
  id: string
  name: string
  project: string
  /** Actor written down as the creator of what is made for it. */
  actor: string
  uid: number
}

/** An image's configuration as its publisher wrote it. */
export type ImageConfig = {
  entrypoint: string[]
  cmd: string[]
  env: string[]
  user: string
  workingDir: string
  /** Signal number; 0 is SIGTERM. */
  stopSignal: number
}

export type ReadyImage = { id: string; digest: string; rootPath: string; config: ImageConfig }
/** A pull on its way; `done` and `total` in bytes, 0 when unknown. */
export type PendingImage = { operationId: string; done: number; total: number }
export type KernelAnswer = {
  kernelPath: string
  initramfsPath: string
  /** `uname -r` of the guest. */
  version: string
  /** Of both files, for what depends on them. */
  digest: string
}

/** The image service of this host. Every verb may be repeated; a release of what is not held is fine. */
export interface Images {
  /** The image, or how far its pull is after about a second. The first answer fixes the digest. */
  ensure(holder: Holder, reference: string, signal: AbortSignal): Promise<ReadyImage | PendingImage>
  ensureKernel(holder: Holder, kernel: string, signal: AbortSignal): Promise<KernelAnswer>
  release(holder: Holder, signal: AbortSignal): Promise<void>
}

export type VolumeSource = { scratchBytes: number } | { volume: string; readOnly: boolean }

/** The volume service of this host. */
export interface Volumes {
  /** Path of the disk, granted to the VM's uid. */
  ensure(holder: Holder, slot: string, source: VolumeSource, signal: AbortSignal): Promise<string>
  /** Takes the grant back and keeps the bytes: the VM is stopped. */
  detach(holder: Holder, slot: string, signal: AbortSignal): Promise<void>
  /** Takes the grant back; a scratch disk is deleted. */
  release(holder: Holder, slot: string, signal: AbortSignal): Promise<void>
}

export type PortAnswer = {
  portId: string
  networkId: string
  tap: string
  guest: {
    macAddress: string
    ipv4Cidr: string
    ipv4Gateway: string
    ipv6Cidr: string
    ipv6Gateway: string
    dnsServers: string[]
    dnsSearch: string[]
    mtu: number
  }
}

/** The network service of this host. */
export interface Networks {
  ensure(holder: Holder, slot: string, wanted: { network: string; up: boolean }, signal: AbortSignal): Promise<PortAnswer>
  release(holder: Holder, slot: string, signal: AbortSignal): Promise<void>
}

export type Peers = { images: Images; volumes: Volumes; networks: Networks }
