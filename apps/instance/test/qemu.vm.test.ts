import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { newId } from '@berth/db'
import { bootId, createRunner } from '@berth/host'
import { createLogger } from '@berth/telemetry'
import { home, makeTempDir, tempDir } from '@berth/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { guestConfig, guestConfigBytes } from '../src/domain/guest-config.ts'
import { placeOf } from '../src/domain/place.ts'
import { dialAgent } from '../src/guest/session.ts'
import { instanceFiles } from '../src/host/files.ts'
import { qemuHypervisor } from '../src/host/qemu/driver.ts'
import { installShim } from '../src/shim/binary.ts'
import { shims } from '../src/shim/shims.ts'
import { InstanceSpecSchema, OnExit } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { create } from '@bufbuild/protobuf'
import { conformance } from './conformance.ts'

const [guest, shim, busybox] = ['guest', 'bin/berth-shim', 'bin/busybox'].map((name) => path.join(home, '.berth', name)) as [
  string,
  string,
  string,
]
const logger = createLogger({ name: 'test', level: 'silent' })
const binary = '/usr/bin/qemu-system-x86_64'
/** Folder of what the VMs are made of: not in the clone, which only its owner may be able to pass through. */
let parts = ''
let uid = 960_000

beforeAll(() => {
  parts = makeTempDir('qemu-parts')
  for (const name of ['vmlinux', 'initramfs.cpio']) copyFileSync(path.join(guest, name), path.join(parts, name))
  const tree = path.join(parts, 'tree')
  for (const name of ['bin', 'proc', 'sys', 'dev', 'tmp', 'run', 'etc']) mkdirSync(path.join(tree, name), { recursive: true })
  copyFileSync(busybox, path.join(tree, 'bin/busybox'))
  for (const name of ['sh', 'echo', 'cat', 'true']) symlinkSync('busybox', path.join(tree, 'bin', name))
  execFileSync('mkfs.erofs', [path.join(parts, 'root.erofs'), tree], { stdio: 'pipe' })
})
afterAll(() => rmSync(parts, { recursive: true, force: true }))

async function world() {
  const data = tempDir('qemu')
  const runner = createRunner({ logger })
  const folders = { dataDir: path.join(data.path, 'instance'), runDir: path.join(data.path, 'run'), host: newId('hst') }
  const installed = await installShim(shim, path.join(folders.dataDir, 'bin'))
  const open = (epoch: number) =>
    qemuHypervisor({
      shims: shims({ runner, binary: installed, hostBootId: bootId(), epoch }),
      ...{ binary, version: 'any', maxVcpus: 2, dialAgent, folders },
      accelerator: () => Promise.resolve({ accelerator: 'tcg', reason: 'a test' }),
      allowKvm: () => Promise.resolve(),
    })
  const id = newId('ins')
  uid += 1
  const place = placeOf({ id, uid }, folders)
  const scratch = path.join(data.path, 'scratch')
  writeFileSync(scratch, '')
  truncateSync(scratch, 64 * 1024 * 1024)
  execFileSync('mkfs.ext4', ['-q', scratch])
  execFileSync('chown', [`${uid}:${uid}`, scratch])
  const image = { entrypoint: [], cmd: [], env: [], user: '', workingDir: '', stopSignal: 0 }
  const spec = create(InstanceSpecSchema, { onExit: OnExit.KEEP })
  const config = await instanceFiles(folders.dataDir).writeConfig(
    place,
    guestConfigBytes(guestConfig({ id, name: 'one', spec, image, ports: [] })),
  )
  const machine = {
    ...place,
    ...{ vcpus: 1, memoryBytes: 192 * 1024 * 1024, kernelCommandLine: 'console=ttyS0 panic=1', nics: [] },
    ...{ kernelPath: path.join(parts, 'vmlinux'), initramfsPath: path.join(parts, 'initramfs.cpio') },
    disks: [
      { serial: 'root', path: path.join(parts, 'root.erofs'), readOnly: true },
      { serial: 'scratch', path: scratch, readOnly: false },
      { serial: 'config', path: config, readOnly: true },
    ],
  }
  const hypervisor = open(1)
  return {
    hypervisor,
    again: () => Promise.resolve(open(2)),
    machine,
    async [Symbol.asyncDispose]() {
      const last = open(1_000)
      await (await last.attach(place, AbortSignal.timeout(10_000)))?.kill(AbortSignal.timeout(10_000))
      await last.clear(place, AbortSignal.timeout(10_000))
      runner[Symbol.dispose]()
      if (existsSync(data.path)) data[Symbol.dispose]()
    },
  }
}

conformance('qemu', world)

it('says what QEMU said of a kernel that it cannot load', async () => {
  await using one = await world()
  const kernelPath = path.join(parts, 'no-kernel')
  writeFileSync(kernelPath, 'this is no kernel')
  const { signal } = new AbortController()
  const starting = one.hypervisor.start({ ...one.machine, kernelPath }, signal).then((vm) => vm.boot(signal))
  await expect(starting).rejects.toMatchObject({ reason: 'VMM_FAILED', message: expect.stringMatching(/QEMU ended at once: .*kernel/s) })
})
