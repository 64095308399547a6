import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Instance, type InstanceExit, InstanceState, RestartPolicy } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { until } from '@berth/testing'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ended, remove } from '../support/guest.ts'
import { startLightSystem } from '../support/light-system.ts'
import type { TestSystem } from '../support/system.ts'
import { cgroupOf, commandOf, identityOf, journalStart, pids, shimOf } from '../support/vmm.ts'
import { type KnownVm, NAMES, startThreeVms, type ThreeVms } from './three-vms.ts'

const TOLD_MS = 2_000

let three: ThreeVms
let system: TestSystem

beforeAll(async () => {
  three = await startThreeVms(10_200, startLightSystem)
  system = three.system
})
afterAll(() => three?.[Symbol.asyncDispose]())

const kill = (pid: number) => process.kill(pid, 'SIGKILL')
let wentDown = 0

/** Kills the instance service and keeps it dead, as a supervisor that has stopped would. */
async function withoutService(work: () => Promise<void>): Promise<void> {
  const supervisor = three.supervisorPid()
  process.kill(supervisor, 'SIGSTOP')
  try {
    kill(system.pid('instance'))
    wentDown = Date.now()
    await work()
  } finally {
    process.kill(supervisor, 'SIGCONT')
  }
  await until('the service is there again', () => three.ready(7015), 30_000)
}

const gone = (one: KnownVm) => () => identityOf(one.pid) !== one.vmm
const condition = ({ status }: Instance, type: string) => {
  const found = status?.conditions.find((it) => it.type === type)
  return found && `${found.status === 1} ${found.reason}`
}

/** The instance is told within two seconds from here to have ended so, by a failure or not, and not before the service went away. */
async function expectEnd(index: number, reason: string, { failed = true, since = wentDown } = {}): Promise<Instance> {
  const { id, name } = three.vm(index)
  const untilMs = Date.now() + TOLD_MS
  const told = ({ status }: Instance) =>
    status?.lastExit?.reason === reason && status.state === InstanceState.STOPPED && timeOf(status.lastExit) >= since - 1_000
  let last = await three.get(id)
  while (!told(last) && Date.now() < untilMs) {
    await delay(50)
    last = await three.get(id)
  }
  expect({ name, state: last.status?.state, running: condition(last, 'Running'), crashed: condition(last, 'Crashed') }).toEqual({
    name,
    state: InstanceState.STOPPED,
    running: `false ${reason}`,
    crashed: failed ? `true ${reason}` : undefined,
  })
  expect(timeOf(last.status?.lastExit)).toBeGreaterThanOrEqual(since - 1_000)
  return last
}

function timeOf(exit: InstanceExit | undefined): number {
  return exit?.time ? timestampMs(exit.time) : 0
}

/** Starts the VMs that have ended and waits until their guests count. */
async function startAgain(...indexes: number[]): Promise<void> {
  await Promise.all(
    indexes.map(async (index) => {
      const { name, id } = three.vm(index)
      const before = three.connection(name)
      const { operation } = await system.api.instances.startInstance({ id })
      await ended(system.api, operation, OperationState.DONE)
      await until(`${name} counts again`, () => three.connection(name) > before, 60_000)
    }),
  )
  await three.know()
}

/** Leaves a VM hardly more memory than it has, and lets its guest want more. */
function outOfMemory(index: number): void {
  const { id, name } = three.vm(index)
  const group = cgroupOf(id)
  const used = Number(readFileSync(path.join(group, 'memory.usage_in_bytes'), 'utf8'))
  writeFileSync(path.join(group, 'memory.limit_in_bytes'), String(used + (2 << 20)))
  three.tell(name, 'dd if=/dev/zero of=/dev/shm/full bs=1M count=80')
}

describe('what happens while the service is dead is known within two seconds of its return', () => {
  it('a guest that powered off, a kernel that panicked, a VMM that was killed', async () => {
    await withoutService(async () => {
      three.tell(three.vm(0).name, 'poweroff')
      three.tell(three.vm(1).name, 'echo c > /proc/sysrq-trigger')
      kill(three.vm(2).pid)
      for (const index of [0, 1, 2]) await until(`${three.vm(index).name} has ended`, gone(three.vm(index)), 30_000)
    })
    await expectEnd(0, 'GUEST_POWEROFF', { failed: false })
    await expectEnd(1, 'GUEST_PANIC')
    expect((await expectEnd(2, 'VMM_KILLED')).status?.lastExit?.signal).toBe(9)
    await startAgain(0, 1, 2)
  })

  it('a VMM out of memory, an end that no shim saw, a guest that booted again in place', async () => {
    const before = (await three.get(three.vm(2).id)).status
    const connection = three.connection(three.vm(2).name)
    await withoutService(async () => {
      outOfMemory(0)
      kill(three.vm(1).shim)
      await until('the shim is dead', () => identityOf(three.vm(1).shim) === undefined)
      kill(three.vm(1).pid)
      three.tell(three.vm(2).name, 'reboot')
      for (const index of [0, 1]) await until(`${three.vm(index).name} has ended`, gone(three.vm(index)), 30_000)
      await until('the guest counts anew', () => three.connection(three.vm(2).name) > connection, 60_000)
    })
    await expectEnd(0, 'OUT_OF_MEMORY')
    const { status } = await expectEnd(1, 'UNKNOWN')
    expect([status?.lastExit?.exitCode, status?.lastExit?.signal]).toEqual([undefined, 0])
    await until(
      'the boot is counted',
      async () => (await three.get(three.vm(2).id)).status?.bootCount === (before?.bootCount ?? 0) + 1,
      TOLD_MS,
    )
    expect(identityOf(three.vm(2).pid)).toBe(three.vm(2).vmm)
    await until('its agent is ready', async () => condition(await three.get(three.vm(2).id), 'Ready') === 'true AGENT_READY', 20_000)
    expect((await three.get(three.vm(2).id)).status?.bootId).not.toBe(before?.bootId)
    await startAgain(0, 1)
  })

  it('a VMM held by a signal, and let go', async () => {
    await withoutService(async () => {
      process.kill(three.vm(0).pid, 'SIGSTOP')
      await delay(100)
    })
    await until('it is told', async () => condition(await three.get(three.vm(0).id), 'Running') === 'false VMM_HELD', TOLD_MS)
    expect((await three.get(three.vm(0).id)).status?.state).toBe(InstanceState.PAUSED)
    process.kill(three.vm(0).pid, 'SIGCONT')
    await until('it runs', async () => condition(await three.get(three.vm(0).id), 'Running') === 'true RUNNING', TOLD_MS)
    expect(await three.answers(three.vm(0))).toBe(true)
  })
})

describe('what happens while the service lives is known within two seconds', () => {
  it('a guest that powered off, a kernel that panicked, a VMM that was killed', async () => {
    const since = Date.now()
    three.tell(three.vm(0).name, 'poweroff')
    await until('it is off', gone(three.vm(0)), 30_000)
    await expectEnd(0, 'GUEST_POWEROFF', { failed: false, since })
    three.tell(three.vm(1).name, 'echo c > /proc/sysrq-trigger')
    await until('it has panicked', gone(three.vm(1)), 30_000)
    await expectEnd(1, 'GUEST_PANIC', { since })
    kill(three.vm(2).pid)
    await expectEnd(2, 'VMM_KILLED', { since })
    await startAgain(0, 1, 2)
  })

  it('a VMM held, one out of memory, and one whose shim dies: another shim keeps it, to an end of which it says that it knows no code', async () => {
    const since = Date.now()
    process.kill(three.vm(2).pid, 'SIGSTOP')
    await until('it is told', async () => condition(await three.get(three.vm(2).id), 'Running') === 'false VMM_HELD', TOLD_MS)
    process.kill(three.vm(2).pid, 'SIGCONT')
    await until('it runs', async () => condition(await three.get(three.vm(2).id), 'Running') === 'true RUNNING', TOLD_MS)

    outOfMemory(0)
    await until('it has ended', gone(three.vm(0)), 30_000)
    await expectEnd(0, 'OUT_OF_MEMORY', { since })

    kill(three.vm(1).shim)
    const another = () => (shimOf(three.vm(1).folder) ?? three.vm(1).shim) !== three.vm(1).shim
    await until('another shim is there', another, TOLD_MS)
    expect(identityOf(three.vm(1).pid)).toBe(three.vm(1).vmm)
    await until('the guest answers', () => three.answers(three.vm(1)), 10_000)
    expect((await three.get(three.vm(1).id)).status?.state).toBe(InstanceState.RUNNING)
    kill(three.vm(1).pid)
    const { status } = await expectEnd(1, 'UNKNOWN', { since })
    expect(status?.lastExit?.exitCode).toBeUndefined()
  })
})

describe('a host that boots again', () => {
  let bystander: ChildProcess | undefined
  afterAll(() => void bystander?.kill('SIGKILL'))

  it('runs what is wanted on, once and by its policy, sweeps what the old boot left, and signals no stranger', {
    timeout: 180_000,
  }, async () => {
    await remove(system.api, three.vm(0).id)
    await three.start(NAMES[0], RestartPolicy.ON_FAILURE)
    if ((await three.get(three.vm(1).id)).status?.state === InstanceState.STOPPED) await startAgain(1)
    await three.know()
    const stranger = spawn('sleep', ['1000'], { stdio: 'ignore' })
    bystander = stranger
    const strangers = identityOf(stranger.pid ?? 0)

    await system.stop()
    for (const one of three.vms) for (const pid of [shimOf(one.folder), one.pid]) if (pid && identityOf(pid)) kill(pid)
    for (const one of three.vms) await until('it has ended', gone(one))
    for (const pid of pids()) if (commandOf(pid).includes(`--conf-file=${dnsConfiguration()}`)) kill(pid)
    rmSync(system.runDir, { recursive: true, force: true })
    for (const name of links()) execFileSync('ip', ['link', 'del', name])
    // In the old boot the pid was that of the second VM's VMM.
    appendFileSync(path.join(three.vm(1).folder, 'journal'), journalStart(stranger.pid ?? 0, Number(strangers?.split(' ')[1])))
    system.env['BERTH_TEST_BOOT_ID'] = 'the-boot-after'
    await system.start()

    const again = async () => {
      const { status } = await three.get(three.vm(0).id)
      return status?.bootCount === 2 && condition(await three.get(three.vm(0).id), 'Ready') === 'true AGENT_READY'
    }
    await until('it runs again', again, 60_000)
    expect((await three.get(three.vm(0).id)).status).toMatchObject({ bootCount: 2, restartCount: 1, lastExit: { reason: 'HOST_REBOOT' } })
    expect((await three.get(three.vm(1).id)).status).toMatchObject({
      state: InstanceState.STOPPED,
      vmmPid: 0,
      lastExit: { reason: 'HOST_REBOOT' },
    })
    expect((await system.cli('info', NAMES[0])).stdout).toMatch(
      /Restart: +ON_FAILURE\nBoots: +2 \(restarted 1 times\)[^]*Last exit: +HOST_REBOOT/,
    )
    expect(identityOf(stranger.pid ?? 0)).toBe(strangers)
    await until('nothing of the old boot is left', async () => (await system.api.audit.auditHost({})).findings.length === 0, 20_000)
  })
})

function dnsConfiguration(): string {
  const folder = path.join(system.dataDir, 'network')
  const bridge = readdirSync(folder).find((name) => name.startsWith('br-')) ?? ''
  return path.join(folder, bridge, 'dnsmasq.conf')
}

/** Taps and bridges, which no boot survives. */
function links(): string[] {
  const all = JSON.parse(execFileSync('ip', ['-json', 'link'], { encoding: 'utf8' })) as { ifname: string }[]
  return all.map(({ ifname }) => ifname).filter((name) => /^(bt|br-)/.test(name))
}
