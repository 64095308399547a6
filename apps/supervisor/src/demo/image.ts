import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { buildImage, pushImage } from '@berth/host/oci-image'

/** Where the nonce lies in the demonstration's image. */
export const NONCE_PATH = '/etc/berth-nonce'

const APPLETS = [
  'sh',
  'ls',
  'cat',
  'uname',
  'echo',
  'ps',
  'ip',
  'ping',
  'wget',
  'sleep',
  'mount',
  'df',
  'free',
  'id',
  'env',
  'true',
  'nslookup',
  'vi',
]

/**
 * Builds an image of the machine's own busybox plus one file with a fresh random nonce, and pushes it.
 *
 * @param busybox path of a static busybox
 * @returns the reference to pull and the nonce that must come back from inside the VM
 */
export async function pushDemoImage(registry: { readonly url: string; readonly host: string }, busybox: string) {
  const nonce = randomBytes(16).toString('hex')
  const image = buildImage({
    layers: [
      {
        files: [
          { path: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 },
          ...APPLETS.map((applet) => ({ path: `bin/${applet}`, type: 'symlink' as const, target: 'busybox' })),
          { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\n', mode: 0o644 },
          { path: 'etc/group', content: 'root:x:0:\n', mode: 0o644 },
        ],
      },
      { files: [{ path: NONCE_PATH.slice(1), content: `${nonce}\n`, mode: 0o644 }] },
    ],
    config: { Env: ['PATH=/bin:/sbin:/usr/bin:/usr/sbin'], Cmd: ['/bin/sh', '-c', 'echo hello from $(uname -sr); exec sleep 2147483647'] },
  })
  await pushImage({ registryUrl: registry.url, name: 'hello', tag: 'latest' }, image)
  return { reference: `${registry.host}/hello:latest`, nonce }
}
