/** Text of a stranger, with everything but printable characters and line ends escaped. */
export function printable(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) =>
    byte === 10 || (byte >= 32 && byte < 127) ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('')
}
