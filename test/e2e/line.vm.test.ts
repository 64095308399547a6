import { readFileSync } from 'node:fs'
import os from 'node:os'
import { startRegistry, type TestRegistry } from '@berth/testing/registry'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { create, exec, remove } from '../support/guest.ts'
import { busyboxImage, publish, shelllessImage } from '../support/images.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'
import { traceDuring } from '../support/trace.ts'

let registry: TestRegistry
let system: TestSystem

beforeAll(async () => {
  registry = await startRegistry()
  system = await startTestSystem({ bundled: true, env: { BERTH_INSECURE_REGISTRIES: registry.host } })
})
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

describe('an image from a real registry boots on real QEMU', () => {
  let id: string
  let nonce: string

  beforeAll(async () => {
    const made = busyboxImage({
      User: 'alice',
      WorkingDir: '/made/by/berth',
      Env: ['PATH=/bin', 'FLAVOUR=salt'],
      Entrypoint: ['/bin/sh', '-c'],
      Cmd: ['echo spoken aloud; id > /tmp/who; pwd > /tmp/where; env > /tmp/env; exec sleep 100000'],
    })
    nonce = made.nonce
    id = (await create(system.api, 'line', await publish(registry, 'line', made.image))).id
  })
  afterAll(() => remove(system.api, id))

  it('the nonce that was put into the image is read back inside the guest', async () => {
    expect((await exec(system.api, id, ['cat', '/nonce'])).stdout).toBe(nonce)
  })

  it('the guest has a kernel and a boot of its own', async () => {
    const release = (await exec(system.api, id, ['uname', '-r'])).stdout.trim()
    const bootId = (await exec(system.api, id, ['cat', '/proc/sys/kernel/random/boot_id'])).stdout.trim()
    const { instance } = await system.api.instances.getInstance({ id })
    expect(release).toBe(instance?.status?.kernelVersion)
    expect(release).not.toBe(os.release())
    expect(bootId).toMatch(/^[0-9a-f-]{36}$/)
    expect(bootId).toBe(instance?.status?.bootId)
    expect(bootId).not.toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
  })

  it('lists and gets start no process and connect to nothing below the run folder', async () => {
    const { started, connected } = await traceDuring(system.pid('instance'), async () => {
      for (let index = 0; index < 50; index += 1) {
        expect((await system.api.instances.listInstances({})).instances.map((instance) => instance.id)).toContain(id)
        await system.api.instances.getInstance({ id })
      }
    })
    expect({ started, below: connected.filter((socket) => socket.startsWith(system.runDir)) }).toEqual({ started: [], below: [] })
  })

  it("the agent's session goes through the QEMU that the instance names: held by SIGSTOP, an exec waits; let go, it ends", async () => {
    const { instance } = await system.api.instances.getInstance({ id })
    const pid = instance?.status?.vmmPid ?? 0
    expect(readFileSync(`/proc/${pid}/comm`, 'utf8')).toContain('qemu')
    process.kill(pid, 'SIGSTOP')
    let done = false
    const running = exec(system.api, id, ['echo', 'through']).finally(() => {
      done = true
    })
    try {
      await new Promise((resolve) => setTimeout(resolve, 700))
      expect(done).toBe(false)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    expect((await running).stdout).toBe('through\n')
  })

  it("the image's user, working directory, environment, entrypoint and command are honoured", async () => {
    const read = async (file: string) => (await exec(system.api, id, ['cat', file])).stdout
    expect(await read('/tmp/who')).toContain('uid=1234(alice) gid=1235(alice)')
    expect(await read('/tmp/where')).toBe('/made/by/berth\n')
    expect(await read('/tmp/env')).toContain('FLAVOUR=salt')
    expect((await exec(system.api, id, ['id', '-u'])).stdout).toBe('1234\n')
    expect((await exec(system.api, id, ['id', '-u'], { user: 'root' })).stdout).toBe('0\n')
  })

  it('exec has standard input, output and error, exit codes and a terminal', async () => {
    const both = await exec(system.api, id, ['sh', '-c', 'cat; echo problem >&2; exit 3'], { input: 'in and out' })
    expect(both).toEqual({ code: 3, signal: 0, stdout: 'in and out', stderr: 'problem\n' })
    const terminal = await exec(system.api, id, ['sh', '-c', 'test -t 1 && stty size'], { terminal: { rows: 33, columns: 77 } })
    expect(terminal.stdout.trim()).toBe('33 77')
    expect((await exec(system.api, id, ['sh', '-c', 'kill -9 $$'])).code).toBe(137)
  })

  it('a command that is missing, or cannot be executed, is told apart from one that fails', async () => {
    await expect(exec(system.api, id, ['/no/such'])).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'COMMAND_NOT_FOUND' })
    await expect(exec(system.api, id, ['/not-executable'])).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'COMMAND_NOT_EXECUTABLE',
    })
    await expect(exec(system.api, id, ['true'], { workingDir: '/no/such' })).rejects.toMatchObject({ reason: 'WORKING_DIR_NOT_FOUND' })
    await expect(exec(system.api, id, ['true'], { user: 'nobody-here' })).rejects.toMatchObject({ reason: 'USER_NOT_FOUND' })
  })

  it('ten thousand lines come out whole', async () => {
    const { stdout } = await exec(system.api, id, ['sh', '-c', 'yes 0123456789abcdef | head -n 100000'])
    expect(stdout.length).toBe(1_700_000)
  })

  it('the CLI passes output, exit code and its own failures through', async () => {
    expect(await system.cli('exec', 'line', '--', 'sh', '-c', 'echo out; echo err >&2; exit 5')).toEqual({
      code: 5,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    expect((await system.cli('exec', 'line', '--', '/no/such')).code).toBe(127)
    expect((await system.cli('exec', 'line', '--', '/not-executable')).code).toBe(126)
    expect((await system.cli('exec', 'nobody', '--', 'true')).code).toBe(125)
  })

  it('the console shows what the guest printed', async () => {
    expect((await system.cli('logs', 'line')).stdout).toContain('spoken aloud')
  })

  it('stop and start keep what was written to the disk', async () => {
    await exec(system.api, id, ['sh', '-c', 'echo kept > /kept; sync'], { user: 'root' })
    expect((await system.cli('stop', 'line')).code).toBe(0)
    expect((await system.cli('exec', 'line', '--', 'true')).code).toBe(125)
    expect((await system.cli('start', 'line')).code).toBe(0)
    expect((await exec(system.api, id, ['cat', '/kept'])).stdout).toBe('kept\n')
  })

  it('restart gives the guest a new boot', async () => {
    const before = (await exec(system.api, id, ['cat', '/proc/sys/kernel/random/boot_id'])).stdout
    expect((await system.cli('restart', 'line')).code).toBe(0)
    expect((await exec(system.api, id, ['cat', '/proc/sys/kernel/random/boot_id'])).stdout).not.toBe(before)
  })
})

it('an image without a shell runs: its one program is executed', async () => {
  const { id } = await create(system.api, 'bare', await publish(registry, 'bare', shelllessImage()))
  expect(await exec(system.api, id, ['/hello'])).toEqual({ code: 7, signal: 0, stdout: 'hello\n', stderr: '' })
  await remove(system.api, id)
})

it('when everything is deleted, the host and the database agree that nothing is left', async () => {
  const { code, stdout } = await system.cli('doctor', '--audit', '-o', 'json')
  const answer = JSON.parse(stdout) as { findings?: unknown[]; compared: Record<string, string> }
  expect(answer.findings ?? []).toEqual([])
  expect(Object.keys(answer.compared).length).toBeGreaterThan(5)
  expect(code).toBe(0)
})
