import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { buildImage, type ImageSource, pushImage } from '@berth/host/oci-image'

const BUSYBOX = path.resolve(import.meta.dirname, '../../.berth/bin/busybox')
const APPLETS = [
  'sh',
  'cat',
  'uname',
  'echo',
  'id',
  'env',
  'pwd',
  'true',
  'false',
  'sleep',
  'ip',
  'ping',
  'nc',
  'stty',
  'head',
  'yes',
  'dd',
  'ls',
  'kill',
  'reboot',
  'poweroff',
]

export const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nalice:x:1234:1235:Alice:/home/alice:/bin/sh\n'
export const GROUP = 'root:x:0:\nalice:x:1235:\nwheel:x:10:alice\n'

/** A busybox root with a user `alice`, and a file whose content nobody could guess. */
export function busyboxImage(config: ImageSource['config'] = {}): { image: ReturnType<typeof buildImage>; nonce: string } {
  const nonce = randomBytes(16).toString('hex')
  const image = buildImage({
    layers: [
      {
        files: [
          { path: 'bin/busybox', content: readFileSync(BUSYBOX), mode: 0o755 },
          ...APPLETS.map((applet) => ({ path: `bin/${applet}`, type: 'symlink' as const, target: 'busybox' })),
          { path: 'etc/passwd', content: PASSWD },
          { path: 'etc/group', content: GROUP },
          { path: 'tmp', type: 'directory', mode: 0o1777 },
          { path: 'not-executable', content: 'data' },
        ],
      },
      { files: [{ path: 'nonce', content: nonce }] },
    ],
    config: { Env: ['PATH=/bin'], Cmd: ['/bin/sleep', '1000000'], ...config },
  })
  return { image, nonce }
}

/** Pushes an image and gives back the reference to pull. */
export async function publish(
  registry: { url: string; host: string },
  name: string,
  image: ReturnType<typeof buildImage>,
): Promise<string> {
  await pushImage({ registryUrl: registry.url, name, tag: 'latest' }, image)
  return `${registry.host}/${name}:latest`
}

/** An image of one static program and nothing else: no shell, no library, no /etc. The program prints `hello` and exits with 7. */
export function shelllessImage(): ReturnType<typeof buildImage> {
  return buildImage({ layers: [{ files: [{ path: 'hello', content: helloElf(), mode: 0o755 }] }], config: {} })
}

/** The smallest Linux program for x86-64 that writes and exits: an ELF header, one program header, code, text. */
function helloElf(): Buffer {
  const text = Buffer.from('hello\n')
  const code = Buffer.from([
    ...[0xb8, 1, 0, 0, 0], // mov eax, 1 (write)
    ...[0xbf, 1, 0, 0, 0], // mov edi, 1
    ...[0x48, 0x8d, 0x35, 19, 0, 0, 0], // lea rsi, [rip + 19]: the text, behind the code
    ...[0xba, text.length, 0, 0, 0], // mov edx, length
    ...[0x0f, 0x05], // syscall
    ...[0xb8, 60, 0, 0, 0], // mov eax, 60 (exit)
    ...[0xbf, 7, 0, 0, 0], // mov edi, 7
    ...[0x0f, 0x05], // syscall
  ])
  const base = 0x400000n
  const size = BigInt(120 + code.length + text.length)
  const head = Buffer.alloc(120)
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  head.writeUInt16LE(2, 16) // ET_EXEC
  head.writeUInt16LE(62, 18) // EM_X86_64
  head.writeUInt32LE(1, 20)
  head.writeBigUInt64LE(base + 120n, 24) // entry
  head.writeBigUInt64LE(64n, 32) // program headers
  head.writeUInt16LE(64, 52)
  head.writeUInt16LE(56, 54)
  head.writeUInt16LE(1, 56)
  head.writeUInt32LE(1, 64) // PT_LOAD
  head.writeUInt32LE(5, 68) // read, execute
  head.writeBigUInt64LE(base, 80)
  head.writeBigUInt64LE(base, 88)
  head.writeBigUInt64LE(size, 96)
  head.writeBigUInt64LE(size, 104)
  head.writeBigUInt64LE(0x1000n, 112)
  return Buffer.concat([head, code, text])
}
