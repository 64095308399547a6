/** Owner, group and permission bits of a disk's file. */
export type Access = { uid: number; gid: number; mode: number }

/** One VM's hold on a disk. */
export type Attachment = {
  owner: Owner
  /** Uid of the VM, which is its gid too. */
  uid: number
  readOnly: boolean
  /** Being taken back: grants nothing any more. */
  releasing: boolean
}

/** Whose a disk is, or who uses it; the slot tells its disks apart. */
export type Owner = { kind: string; id: string; slot: string }

const nobodys: Access = { uid: 0, gid: 0, mode: 0o600 }

/**
 * Who may open a disk's file. A writer owns it. A reader gets it through its group: the owner of a file could make it writable again.
 * Several readers have no group in common, so their file is readable by all who can name it.
 */
export function accessFor(attachments: Attachment[]): Access {
  const held = attachments.filter(({ releasing }) => !releasing)
  const writer = held.find(({ readOnly }) => !readOnly)
  if (writer) return { uid: writer.uid, gid: writer.uid, mode: 0o600 }
  const [reader, ...more] = held
  if (!reader) return nobodys
  return more.length === 0 ? { uid: 0, gid: reader.uid, mode: 0o440 } : { uid: 0, gid: 0, mode: 0o444 }
}

export function sameAccess(a: Access, b: Access): boolean {
  return a.uid === b.uid && a.gid === b.gid && a.mode === b.mode
}

/** `uid 900000 gid 900000 mode 0600` */
export function accessText({ uid, gid, mode }: Access): string {
  return `uid ${uid} gid ${gid} mode 0${mode.toString(8)}`
}

export function sameOwner(a: Owner, b: Owner): boolean {
  return a.kind === b.kind && a.id === b.id && a.slot === b.slot
}
