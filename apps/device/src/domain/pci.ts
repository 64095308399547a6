/** One PCI function as the host shows it. Numbers are lower-case hex digits without `0x`. */
export type PciFunction = {
  /** `0000:00:02.0` */
  address: string
  vendorId: string
  deviceId: string
  /** Class, subclass and interface: six digits. */
  classId: string
  /** Empty: bound to none. */
  driver: string
  /** Empty: no IOMMU. */
  iommuGroup: string
  /** Addresses of its virtual functions that exist now. */
  virtualFunctions: string[]
  /** Address of the physical function it belongs to; empty: it is one itself. */
  physicalFunction: string
  /** What the host itself does with it, as text for people: `carries the mounted file system /`. */
  hostUses: string[]
}

/** Names for people; empty where unknown. */
export type PciNames = { vendorName: string; deviceName: string; className: string }

/** The host's PCI functions. */
export type PciBus = {
  /** All functions by address. */
  scan(): Promise<PciFunction[]>
}

/** Where names of ids come from. */
export type PciNaming = { namesOf(fn: Pick<PciFunction, 'vendorId' | 'deviceId' | 'classId'>): PciNames }
