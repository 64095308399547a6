import { accessSync, constants, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { unpackPackages } from './debian.mjs'
import { exec } from './exec.mjs'
import { step } from './step.mjs'

/** Host commands of the services. */
export const HOST_PACKAGES = [
  'qemu-system-x86',
  'nftables',
  'dnsmasq-base',
  'erofs-utils',
  'umoci',
  'iproute2',
  'acl',
  'e2fsprogs',
  'lz4',
  'xz-utils',
  'zstd',
]

/** What the tests use on top. */
export const TEST_PACKAGES = ['strace', 'curl']

/**
 * Programs taken out of their packages: those of nats-server, docker-registry and pgbouncer enable a unit,
 * and busybox-static conflicts with the busybox that a machine may have.
 */
const UNPACKED = [
  { name: 'nats-server', package: 'nats-server', file: 'usr/sbin/nats-server', probe: ['--version'] },
  { name: 'docker-registry', package: 'docker-registry', file: 'usr/bin/docker-registry', probe: ['--version'] },
  { name: 'busybox', package: 'busybox-static', file: 'bin/busybox', probe: ['true'] },
  {
    name: 'pgbouncer',
    package: 'pgbouncer',
    libraries: ['libevent-2.1-7', 'libc-ares2'],
    file: 'usr/sbin/pgbouncer',
    probe: ['--version'],
  },
]

/** Where the libraries of unpacked programs lie, for the linker. */
const LIBRARIES = '.berth/debian/usr/lib/x86_64-linux-gnu'

/** Puts `.berth/bin/{nats-server,docker-registry,busybox,pgbouncer}` in place and checks that each runs here. */
export async function unpackTools() {
  const outputs = UNPACKED.map((tool) => `.berth/bin/${tool.name}`)
  await step('unpack', { inputs: ['scripts/setup/tools.mjs'], outputs }, async () => {
    rmSync('.berth/debian', { recursive: true, force: true })
    await unpackPackages(
      UNPACKED.flatMap((tool) => [tool.package, ...(tool.libraries ?? [])]),
      '.berth/debian',
    )
    mkdirSync('.berth/bin', { recursive: true })
    for (const tool of UNPACKED) {
      const link = `.berth/bin/${tool.name}`
      rmSync(link, { force: true })
      symlinkSync(`../debian/${tool.file}`, link)
      await exec(path.resolve(link), tool.probe, { env: { LD_LIBRARY_PATH: path.resolve(LIBRARIES) } })
    }
  })
}

/** The full name of a program in the folders of PATH and in `more`, or undefined. */
export function findProgram(name, more = [], searchPath = process.env.PATH ?? '') {
  for (const folder of [...searchPath.split(':').filter(Boolean), ...more]) {
    const file = path.join(folder, name)
    if (!existsSync(file)) continue
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // not executable for us: the next folder may have one that is
    }
  }
  return undefined
}
