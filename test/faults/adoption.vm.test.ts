import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { InstanceState } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { until } from '@berth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exec } from '../support/guest.ts'
import type { TestSystem } from '../support/system.ts'
import { identityOf, openFiles, processesOf } from '../support/vmm.ts'
import { NAMES, startThreeVms, type ThreeVms } from './three-vms.ts'

const SERVICES = ['gateway', 'image', 'volume', 'network', 'device', 'instance'] as const
const ADOPTED_MS = 10_000

let three: ThreeVms
let system: TestSystem
let controlGapMs: number

beforeAll(async () => {
  three = await startThreeVms(10_000)
  system = three.system
  const from = Date.now()
  await delay(4_000)
  controlGapMs = Math.max(...NAMES.map((name) => longestGap(name, from)))
})
afterAll(() => three?.[Symbol.asyncDispose]())

function longestGap(name: string, from: number): number {
  const times = [from, ...three.counts(name).flatMap(({ timeMs }) => (timeMs > from ? [timeMs] : [])), Date.now()]
  return Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? 0)))
}

/** The guests of these instances run as they did, and nothing of what they sent was lost or held up. */
async function expectUnnoticed(from: number): Promise<void> {
  for (const one of three.vms) {
    expect(identityOf(one.pid), one.name).toBe(one.vmm)
    const sent = three.counts(one.name)
    const { connection } = sent.at(-1) ?? { connection: 0 }
    expect({ name: one.name, cut: three.uplink.ended.has(connection) }).toEqual({ name: one.name, cut: false })
    const numbers = sent.filter((arrival) => arrival.connection === connection).map(({ text }) => Number(text.split(' ')[2]))
    expect(numbers).toEqual(numbers.map((_, index) => index + 1))
    expect(longestGap(one.name, from)).toBeLessThanOrEqual(controlGapMs + 1_000)
    const answered = await until('a question has been answered since', () => {
      const since = three.asks(one.name).filter(({ timeMs }) => timeMs > from)
      return since.length > 0 && since
    })
    expect(answered.filter(({ text }) => text.endsWith(' failed'))).toEqual([])
  }
}

async function expectAdopted(): Promise<void> {
  await until('an exec works in every guest', async () => (await Promise.all(three.vms.map(three.answers))).every(Boolean), ADOPTED_MS)
  for (const { id, vmm, bootId } of three.vms) {
    const { status } = await three.get(id)
    expect(`${status?.vmmPid} ${status?.vmmStartTicks}`).toBe(vmm)
    expect(status).toMatchObject({ state: InstanceState.RUNNING, bootId, bootCount: 1 })
    expect((await exec(system.api, id, ['cat', '/proc/sys/kernel/random/boot_id'])).stdout.trim()).toBe(bootId)
  }
}

const postgresPid = () => Number(readFileSync(path.join(system.dataDir, 'postgres/db/postmaster.pid'), 'utf8').split('\n')[0])
const natsPid = () =>
  (JSON.parse(readFileSync(path.join(system.dataDir, 'nats/state.json'), 'utf8')) as { identity: { pid: number } }).identity.pid
const kill = (pid: number) => process.kill(pid, 'SIGKILL')

async function returned(what: string, pidNow: () => number, before: number): Promise<void> {
  await until(`${what} is there again`, () => attempt(pidNow) !== before && identityOf(attempt(pidNow)) !== undefined, 20_000)
}

function attempt(pidNow: () => number): number {
  try {
    return pidNow()
  } catch {
    return 0
  }
}

const allReady = async () => (await Promise.all([7000, 7011, 7012, 7013, 7014, 7015].map((port) => three.ready(port)))).every(Boolean)

describe('killed at any moment, with three VMs that run, the guests do not notice', () => {
  it('a VMM and a shim have nothing open that a service has, and no socket but those of their VM', () => {
    const shared = /^(socket|pipe):/
    const services = new Set(
      processesOf(system.dataDir)
        .flatMap(openFiles)
        .filter((file) => shared.test(file)),
    )
    expect(services.size).toBeGreaterThan(20)
    const unix = readFileSync('/proc/net/unix', 'utf8')
    const allowed = new RegExp(`^(/dev/(null|net/tun|ptmx)|anon_inode:.*|pipe:.*|socket:.*|${system.dataDir}/(image|volume|instance)/.*)$`)
    for (const one of three.vms) {
      for (const pid of [one.shim, one.pid]) {
        const files = openFiles(pid)
        expect(files.length).toBeGreaterThan(5)
        expect(files.filter((file) => !allowed.test(file))).toEqual([])
        expect(files.filter((file) => services.has(file))).toEqual([])
        for (const file of files.filter((name) => name.startsWith('socket:')))
          expect(unix).toMatch(new RegExp(` ${file.slice('socket:['.length, -1)}( |$)`, 'm'))
      }
    }
  })

  it.each(SERVICES)('%s', async (service) => {
    const from = Date.now()
    const before = system.pid(service)
    const cut = service === 'instance' ? longOutput() : undefined
    await cut?.begun
    kill(before)
    await returned(service, () => system.pid(service), before)
    if (cut) await expect(cut.whole).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await until('all services are ready', allReady, 20_000)
    await expectAdopted()
    await expectUnnoticed(from)
  })

  it.each([
    ['Postgres', () => postgresPid()],
    ['NATS', () => natsPid()],
  ] as const)('%s', async (name, pidNow) => {
    const from = Date.now()
    const before = pidNow()
    kill(before)
    await returned(name, pidNow, before)
    await until('all services are ready', allReady, 20_000)
    await expectAdopted()
    await expectUnnoticed(from)
  })

  it('the supervisor', async () => {
    const from = Date.now()
    kill(three.supervisorPid())
    await system.start()
    await expectAdopted()
    await expectUnnoticed(from)
  })

  it('all of them at once', async () => {
    const from = Date.now()
    const all = [three.supervisorPid(), ...SERVICES.map((service) => system.pid(service)), postgresPid(), natsPid()]
    for (const pid of all) kill(pid)
    await until('all are dead', () => all.every((pid) => identityOf(pid) === undefined))
    await system.start()
    await expectAdopted()
    await expectUnnoticed(from)
  })

  it('the console tells every line from the first to the last, over all the deaths', async () => {
    for (const { id } of three.vms) {
      let text = ''
      for await (const piece of system.api.instances.streamInstanceLogs({ id })) text += Buffer.from(piece.data).toString()
      const lines = [...text.matchAll(/^line (\d+)\r?$/gm)].map(([, number]) => Number(number))
      expect(lines.length).toBeGreaterThan(50)
      expect(lines).toEqual(lines.map((_, index) => (lines[0] ?? 0) + index))
    }
  })

  it('what dead services had open in a VMM is cleared', async () => {
    const sessions = (pid: number) => openFiles(pid).filter((file) => file.startsWith('socket:')).length
    // Three listeners, the three accepted connections of shim and service, one session.
    for (const one of three.vms) await until('one session is left', () => sessions(one.pid) <= 7)
  })
})

/** A hundred megabytes from a guest; begun when the first have come. */
function longOutput(): { begun: Promise<void>; whole: Promise<unknown> } {
  const { promise: begun, resolve } = Promise.withResolvers<void>()
  async function* requests() {
    yield { message: { case: 'start' as const, value: { id: three.vm(0).id, command: ['dd', 'if=/dev/zero', 'bs=1M', 'count=100'] } } }
  }
  const read = async () => {
    for await (const answer of system.api.instances.execInstance(requests())) if (answer.message.case === 'stdout') resolve()
  }
  const whole = read()
  whole.catch(() => {})
  return { begun, whole }
}
