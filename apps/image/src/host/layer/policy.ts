import type { LayerEntry } from '@berth/host/oci-tar'
import { decode, TarError, type TarHeader } from './tar-header.ts'

/** What stands before an entry and changes it: pax records, or GNU's long names. */
export interface Extension {
  pax: Map<string, Buffer>
  longPath: string | undefined
  longTarget: string | undefined
}

/** An entry that may be unpacked, with the size of its content. */
export interface AdmittedEntry {
  entry: LayerEntry
  sizeBytes: number
}

const TYPES: Record<string, LayerEntry['type']> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
}
const XATTR = 'SCHILY.xattr.'
/** `trusted.*` would steer the guest's overlay, `security.selinux` and the like belong to the machine that built the image. */
const KEPT_XATTRS = /^(?:user\..{1,240}|security\.capability|system\.posix_acl_(?:access|default))$/s

/** Puts header and extension together and checks the result. Numbers in a pax header count before those of the old header. */
export function admit(header: TarHeader, extension: Extension): AdmittedEntry {
  const { pax } = extension
  for (const key of pax.keys()) if (key.startsWith('GNU.sparse')) throw new TarError('sparse entries are not taken')
  const type = Object.hasOwn(TYPES, header.flag) ? TYPES[header.flag] : undefined
  if (!type) throw new TarError('an entry is of a type that is not taken')
  const named = text(pax, 'path') ?? extension.longPath ?? header.path
  const target = text(pax, 'linkpath') ?? extension.longTarget ?? header.target
  // Old archives mark a directory by its name alone.
  const real = type === 'file' && named.endsWith('/') ? 'directory' : type
  const path = checkPath(named, real)
  const entry: LayerEntry = {
    path,
    type: real,
    mode: header.mode & 0o7777,
    uid: id(number(pax, 'uid') ?? header.uid),
    gid: id(number(pax, 'gid') ?? header.gid),
    mtime: Math.max(0, Math.floor(number(pax, 'mtime') ?? header.mtime)),
    xattrs: xattrs(pax),
  }
  if (real === 'symlink') entry.target = checkTarget(target)
  if (real === 'hardlink') entry.target = checkPath(target, 'hardlink')
  const sizeBytes = number(pax, 'size') ?? header.sizeBytes
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new TarError('an entry has an impossible size')
  return { entry, sizeBytes: real === 'file' ? sizeBytes : 0 }
}

/** The path without `.` parts and doubled slashes. Only a directory may be the root itself, which is `./`. */
function checkPath(path: string, type: LayerEntry['type']): string {
  const refuse = (why: string) => new TarError(`an entry's name ${why}`)
  if (path === '' || path.includes('\0')) throw refuse('is empty or holds NUL')
  if (path.startsWith('/')) throw refuse('is absolute')
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw refuse('leads upwards')
  if (parts.length === 0 && type !== 'directory') throw refuse('is that of the root')
  if (parts.some((part) => Buffer.byteLength(part) > 255)) throw refuse('has a part longer than 255 bytes')
  const whole = parts.join('/')
  if (Buffer.byteLength(whole) > 4096) throw refuse('is longer than 4096 bytes')
  return whole === '' ? './' : whole
}

function checkTarget(target: string): string {
  if (target === '' || target.includes('\0') || Buffer.byteLength(target) > 4095) throw new TarError('a symlink has no usable target')
  return target
}

function id(value: number): number {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32 - 1) return value
  throw new TarError('an owner is out of range')
}

function text(pax: Map<string, Buffer>, key: string): string | undefined {
  const value = pax.get(key)
  return value && decode(value)
}

function number(pax: Map<string, Buffer>, key: string): number | undefined {
  const value = text(pax, key)
  if (value === undefined) return undefined
  if (!/^-?[0-9]{1,16}(?:\.[0-9]{1,20})?$/.test(value)) throw new TarError('a pax header holds a number that is none')
  return Number(value)
}

function xattrs(pax: Map<string, Buffer>): Record<string, Uint8Array> {
  const found = [...pax].filter(([key]) => key.startsWith(XATTR)).map(([key, value]) => [key.slice(XATTR.length), value] as const)
  return Object.fromEntries(found.filter(([name]) => KEPT_XATTRS.test(name)))
}
