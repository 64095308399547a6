import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { extractVmlinux } from './bzimage.mjs'
import { decompress } from './compression.mjs'
import { cpio } from './cpio.mjs'
import { dependencyOf, unpackPackages } from './debian.mjs'
import { builtinNames, loadOrder } from './modules.mjs'
import { step } from './step.mjs'

const META_PACKAGE = 'linux-image-cloud-amd64'
const KERNEL = '.berth/kernel'
const GUEST = '.berth/guest'

/** What a guest needs before its root is mounted, and what the machine's devices need afterwards. */
const MODULES = ['virtio_pci', 'virtio_blk', 'erofs', 'overlay', 'virtio_console', 'virtio_net', 'virtio_rng', 'pvpanic_pci']

/** Downloads Debian's cloud kernel by its meta-package and keeps the ELF kernel and the modules that the initramfs takes, in load order. */
export async function fetchKernel() {
  const inputs = ['guest', 'bzimage', 'modules', 'compression'].map((name) => `scripts/setup/${name}.mjs`)
  await step('guest kernel', { inputs, outputs: [`${KERNEL}/vmlinux`, `${KERNEL}/kernel.json`] }, async () => {
    const found = await dependencyOf(META_PACKAGE, 'linux-image-')
    const folder = mkdtempSync(path.join(tmpdir(), 'berth-kernel-'))
    try {
      await unpackPackages([found.name], folder)
      const version = found.name.slice('linux-image-'.length)
      const modules = await wantedModules(path.join(folder, 'lib/modules', version))
      rmSync(KERNEL, { recursive: true, force: true })
      mkdirSync(`${KERNEL}/modules`, { recursive: true })
      for (const module of modules) writeFileSync(`${KERNEL}/modules/${module.file}`, module.data)
      writeFileSync(`${KERNEL}/vmlinux`, await extractVmlinux(readFileSync(path.join(folder, 'boot', `vmlinuz-${version}`))))
      const record = { version, package: `${found.name} ${found.version}`, modules: modules.map((module) => module.file) }
      writeFileSync(`${KERNEL}/kernel.json`, `${JSON.stringify(record, null, 2)}\n`)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
}

async function wantedModules(folder) {
  const files = new Map()
  for (const entry of readdirSync(folder, { recursive: true })) {
    const name = /([^/]+)\.ko(\.\w+)?$/.exec(entry)?.[1]
    if (name) files.set(name.replaceAll('-', '_'), path.join(folder, entry))
  }
  const builtin = builtinNames(readFileSync(path.join(folder, 'modules.builtin'), 'utf8'))
  const load = async (name) => (files.has(name) ? decompress(readFileSync(files.get(name))) : undefined)
  const order = await loadOrder(MODULES, builtin, load)
  return order.map(({ name, data }, index) => ({ file: `${String(index + 1).padStart(2, '0')}-${name}.ko`, data }))
}

/** Makes `.berth/guest`: the kernel, the initramfs with the agent as its init, and a manifest with both hashes. The same inputs give the same bytes. */
export async function buildGuest() {
  const inputs = [KERNEL, '.berth/bin/berth-agent', 'scripts/setup/guest.mjs', 'scripts/setup/cpio.mjs']
  const outputs = ['vmlinux', 'initramfs.cpio', 'manifest.json'].map((name) => `${GUEST}/${name}`)
  await step('initramfs', { inputs, outputs }, async () => {
    const kernel = JSON.parse(readFileSync(`${KERNEL}/kernel.json`, 'utf8'))
    const vmlinux = readFileSync(`${KERNEL}/vmlinux`)
    const modules = kernel.modules.map((file) => ({ file, data: readFileSync(`${KERNEL}/modules/${file}`) }))
    const initramfs = cpio(initramfsEntries(readFileSync('.berth/bin/berth-agent'), modules))
    const manifest = {
      kernel: { version: kernel.version, package: kernel.package, file: 'vmlinux', sha256: sha256(vmlinux), format: 'vmlinux' },
      initramfs: { file: 'initramfs.cpio', sha256: sha256(initramfs) },
    }
    rmSync(GUEST, { recursive: true, force: true })
    mkdirSync(GUEST, { recursive: true })
    writeFileSync(`${GUEST}/vmlinux`, vmlinux)
    writeFileSync(`${GUEST}/initramfs.cpio`, initramfs)
    writeFileSync(`${GUEST}/manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`)
  })
}

function initramfsEntries(agent, modules) {
  const folder = (name) => ({ kind: 'folder', name, permissions: 0o755 })
  const file = (name, data, permissions = 0o644) => ({ kind: 'file', name, data, permissions })
  return [
    ...['dev', 'proc', 'sys', 'run', 'modules'].map(folder),
    { kind: 'character', name: 'dev/console', permissions: 0o600, device: [5, 1] },
    file('modules/order', Buffer.from(modules.map((module) => `${module.file}\n`).join(''))),
    ...modules.map((module) => file(`modules/${module.file}`, module.data)),
    file('init', agent, 0o755),
  ]
}

function sha256(data) {
  return createHash('sha256').update(data).digest('hex')
}
