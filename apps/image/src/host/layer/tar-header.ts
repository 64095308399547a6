/** Fields of one tar header as they stand there; nothing is judged yet. */
export interface TarHeader {
  path: string
  target: string
  flag: string
  mode: number
  uid: number
  gid: number
  sizeBytes: number
  mtime: number
}

/** Thrown for bytes that are no tar archive. */
export class TarError extends Error {}

export const BLOCK = 512

/**
 * Reads one header block (ustar, GNU, old).
 *
 * @returns undefined for a block of zeros, which ends an archive
 * @throws TarError
 */
export function readTarHeader(block: Buffer): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined
  if (numberAt(block, 148, 8) !== checksum(block)) throw new TarError('a header has a wrong checksum')
  const name = textAt(block, 0, 100)
  // GNU archives use the bytes of the prefix for times.
  const ustar = block.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = ustar ? textAt(block, 345, 155) : ''
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    target: textAt(block, 157, 100),
    flag: String.fromCharCode(block[156] ?? 0),
    mode: numberAt(block, 100, 8),
    uid: numberAt(block, 108, 8),
    gid: numberAt(block, 116, 8),
    sizeBytes: numberAt(block, 124, 12),
    mtime: numberAt(block, 136, 12),
  }
}

function checksum(block: Buffer): number {
  let sum = 8 * 32
  for (let index = 0; index < BLOCK; index++) if (index < 148 || index >= 156) sum += block[index] ?? 0
  return sum
}

function textAt(block: Buffer, offset: number, width: number): string {
  const end = block.indexOf(0, offset)
  return decode(block.subarray(offset, end < 0 || end > offset + width ? offset + width : end))
}

/** Names that are not UTF-8 are refused rather than changed. */
export function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new TarError('a name is not UTF-8')
  }
}

/** Octal digits, or base 256 when the first bit is set (GNU). Negative numbers are only met in times, which are then 0. */
function numberAt(block: Buffer, offset: number, width: number): number {
  const first = block[offset] ?? 0
  if (first === 0xff) return offset === 136 ? 0 : refuseNumber()
  if (first >= 0x80) {
    let value = first & 0x7f
    for (let index = offset + 1; index < offset + width; index++) value = value * 256 + (block[index] ?? 0)
    return Number.isSafeInteger(value) ? value : refuseNumber()
  }
  const digits = block.toString('latin1', offset, offset + width).replace(/^[\0 ]+|[\0 ].*$/gs, '')
  if (digits === '') return 0
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : refuseNumber()
}

function refuseNumber(): never {
  throw new TarError('a header holds a number that is none')
}

/**
 * Reads the records of a pax header (POSIX.1-2001): `<length> <key>=<value>\n`, one after the other.
 *
 * @throws TarError
 */
export function readPax(body: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>()
  for (let offset = 0; offset < body.length; ) {
    const space = body.indexOf(0x20, offset)
    const digits = space < 0 || space - offset > 9 ? '' : body.toString('latin1', offset, space)
    const end = offset + Number(digits)
    const equals = body.indexOf(0x3d, space)
    const whole = /^[1-9][0-9]*$/.test(digits) && end <= body.length && equals > space && equals < end && body[end - 1] === 0x0a
    if (!whole) throw new TarError('a pax header is malformed')
    records.set(decode(body.subarray(space + 1, equals)), body.subarray(equals + 1, end - 1))
    offset = end
  }
  return records
}
