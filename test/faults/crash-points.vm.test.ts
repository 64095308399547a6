import { readdirSync, readFileSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { entriesOf } from '../../apps/instance/src/shim/entry.ts'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Failpoints, failpointsIn } from '../support/failpoints.ts'
import { exec } from '../support/guest.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'
import { begin, cleanAudit, endOf, gone, insist, type Matrix } from './matrix.ts'

/** On real QEMU: where a second VMM could come from, and what a VMM holds. */
const EIGHT = [
  ...['record.after', 'config.after', 'vmm.after', 'boot.after', 'port.after', 'running.after'].map((name) => `instance.create.${name}`),
  ...['volume.ensure.clone.after', 'network.port.ensure.tap.after'],
]

let folder: string
let failpoints: Failpoints
let registry: TestRegistry
let system: TestSystem
let matrix: Matrix

beforeAll(async () => {
  folder = mkdtempSync('/var/tmp/berth-failpoints-')
  failpoints = failpointsIn(folder)
  registry = await startRegistry()
  const env = { BERTH_TEST_LONGEST_RESTART: '200', BERTH_INSECURE_REGISTRIES: registry.host, ...failpoints.env }
  system = await startLightSystem({ portOffset: 11_600, env })
  const reference = await publish(registry, 'cut', busyboxImage().image)
  matrix = { system, failpoints, reference, api: system.api, [Symbol.asyncDispose]: async () => {} }
})
afterAll(async () => {
  failpoints?.clear()
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** VMMs of an instance that live now; each is told by its home, which is the instance's folder. */
function vmms(id: string): string[] {
  const home = `HOME=${path.join(system.dataDir, 'instance', id)}\0`
  return readdirSync('/proc').filter(
    (pid) => /^\d+$/.test(pid) && read(pid, 'cmdline').startsWith('qemu') && read(pid, 'environ').includes(home),
  )
}

function read(pid: string, file: string): string {
  try {
    const text = readFileSync(`/proc/${pid}/${file}`, 'utf8')
    return file === 'cmdline' ? path.basename(text.split('\0')[0] ?? '') : text
  } catch {
    return ''
  }
}

it('two creates whose services are killed at eight points between them are two VMs, each started once', { timeout: 240_000 }, async () => {
  failpoints.armOnce('exit', ...EIGHT)
  const both = await Promise.all(['one', 'two'].map((name) => begin(matrix, name)))
  const most = new Map<string, Set<string>>()
  const look = setInterval(() => {
    for (const { id } of both) most.set(id, new Set([...(most.get(id) ?? []), ...vmms(id)]))
  }, 100)
  try {
    await Promise.all(both.map(({ operation }) => endOf(system.api, operation, OperationState.DONE)))
  } finally {
    clearInterval(look)
  }
  expect(EIGHT.filter((name) => !failpoints.hit(name))).toEqual([])
  failpoints.clear()
  for (const { id, requestId, operation } of both) {
    const name = id === both[0]?.id ? 'one' : 'two'
    expect(await begin(matrix, name, {}, requestId)).toMatchObject({ id, operation: { id: operation.id } })
    const kinds = entriesOf(readFileSync(path.join(system.dataDir, 'instance', id, 'journal')), 1).map(({ kind }) => kind)
    expect({ name, started: kinds.filter((kind) => kind === 'started').length, seen: most.get(id)?.size, now: vmms(id).length }).toEqual({
      ...{ name, started: 1, seen: 1, now: 1 },
    })
    expect(await insist(() => exec(system.api, id, ['echo', name]))).toMatchObject({ code: 0, stdout: `${name}\n` })
  }
  await cleanAudit(matrix, 'eight kills')
  for (const { id } of both) await gone(matrix, id)
  for (const { id } of both) expect(vmms(id)).toEqual([])
  await cleanAudit(matrix, 'eight kills and two deletes')
})
