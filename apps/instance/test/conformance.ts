import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { until } from '@berth/testing'
import { expect, test } from 'vitest'
import type { Machine, VmEvent } from '../src/domain/machine.ts'
import type { Agent, ExecInput, Hypervisor, Vm } from '../src/domain/ports.ts'

export type Subject = {
  hypervisor: Hypervisor
  /** A driver of another process over the same folders, as after a restart of the service. */
  again(): Promise<Hypervisor>
  machine: Machine
}

const limit = (ms = 60_000): AbortSignal => AbortSignal.timeout(ms)

async function* inputs(command: string[], stdin?: string): AsyncGenerator<ExecInput> {
  yield { kind: 'start', start: { command, env: [], user: '', workingDir: '', terminal: undefined, stdin: stdin !== undefined } }
  if (stdin !== undefined) {
    yield { kind: 'stdin', data: Buffer.from(stdin) }
    yield { kind: 'stdin-end' }
  }
}

async function exec(agent: Agent, command: string[], stdin?: string) {
  let [out, code] = ['', -1]
  for await (const output of agent.exec(inputs(command, stdin), limit())) {
    if (output.kind === 'stdout') out += Buffer.from(output.data).toString()
    if (output.kind === 'exit') code = output.code
  }
  return { out, code }
}

/** A session with a guest that may still be booting: as its keeper does, again when one is lost on the way. */
async function agentOf(vm: Vm): Promise<Agent> {
  for (const end = performance.now() + 60_000; ; ) {
    try {
      return await vm.agent(limit())
    } catch (error) {
      if (performance.now() > end) throw error
    }
  }
}

/** What every hypervisor of ours does, whether it makes VMs or only writes about them. */
export function conformance(name: string, open: () => Promise<Subject & AsyncDisposable>): void {
  const kinds = async ({ hypervisor, machine }: Subject): Promise<VmEvent['kind'][]> =>
    (await hypervisor.events(machine, 1)).map(({ kind }) => kind).filter((kind) => kind !== 'resumed' && kind !== 'paused')

  async function started(subject: Subject) {
    mkdirSync(subject.machine.folder, { recursive: true })
    const vm = await subject.hypervisor.start(subject.machine, limit())
    await vm.boot(limit())
    return vm
  }

  test(`${name}: a VM is made held, boots, answers, and ends when it is killed`, async () => {
    await using subject = await open()
    const { hypervisor, machine } = subject
    mkdirSync(machine.folder, { recursive: true })
    expect(await hypervisor.attach(machine, limit())).toBeUndefined()
    const vm = await hypervisor.start(machine, limit())
    expect(await vm.state(limit())).toBe('created')
    const dialling = agentOf(vm)
    await vm.boot(limit())
    await vm.boot(limit())
    expect(await vm.state(limit())).toBe('running')
    const agent = await dialling
    expect((await agent.info(limit())).bootId).toMatch(/^[0-9a-f-]{36}$/)
    expect(await exec(agent, ['echo', 'hello', 'there'])).toEqual({ out: 'hello there\n', code: 0 })
    expect(await exec(agent, ['cat'], 'as it came')).toEqual({ out: 'as it came', code: 0 })
    await expect(exec(agent, ['no-such-program'])).rejects.toMatchObject({ reason: 'COMMAND_NOT_FOUND' })
    await vm.kill(limit())
    await agent.closed
    expect(await hypervisor.attach(machine, limit())).toBeUndefined()
    expect(await kinds(subject)).toEqual(['started', 'exited'])
    expect((await hypervisor.events(machine, 2)).at(-1)).toMatchObject({ kind: 'exited', known: true, signal: 9 })
    await hypervisor.clear(machine, limit())
  })

  test(`${name}: a second start finds the first VM, from another process too`, async () => {
    await using subject = await open()
    const vm = await started(subject)
    const same = await subject.hypervisor.start(subject.machine, limit())
    expect(same.process).toEqual(vm.process)
    // The first process is gone: its monitor is free.
    vm.release()
    same.release()
    const other = await subject.again()
    const found = await other.attach(subject.machine, limit())
    expect(found?.process).toEqual(vm.process)
    expect((await other.start(subject.machine, limit())).process).toEqual(vm.process)
    const agent = found && (await agentOf(found))
    expect(agent && (await exec(agent, ['true']))).toEqual({ out: '', code: 0 })
    expect(await kinds(subject)).toEqual(['started'])
    await found?.kill(limit())
    found?.release()
  })

  test(`${name}: a guest that is asked to shut down powers off, and whoever watches is told`, async () => {
    await using subject = await open()
    const vm = await started(subject)
    const agent = await agentOf(vm)
    const seen: VmEvent['kind'][] = []
    const watching = (async () => {
      for await (const { kind } of vm.watch(0, limit())) seen.push(kind)
    })()
    await agent.shutdown(1_000, limit())
    await watching.catch(() => {})
    await until('the end is written down', async () => (await kinds(subject)).includes('exited'))
    expect(await kinds(subject)).toEqual(['started', 'powered-off', 'exited'])
    expect(seen).toContain('powered-off')
    const pieces = subject.hypervisor.console(subject.machine, { offset: 0, tailBytes: 0, follow: false }, limit())
    let text = ''
    for await (const { data } of pieces) text += Buffer.from(data).toString()
    expect(text.length).toBeGreaterThan(0)
  })

  test(`${name}: what it has on the host is found, and cleared`, async () => {
    await using subject = await open()
    const short = path.basename(subject.machine.runDir)
    const vm = await started(subject)
    expect((await subject.hypervisor.found()).some((one) => one.kind === 'process' && one.short === short)).toBe(true)
    await vm.kill(limit())
    await subject.hypervisor.clear(subject.machine, limit())
    await subject.hypervisor.clear(subject.machine, limit())
    expect((await subject.hypervisor.found()).filter((one) => one.kind !== 'folder' && one.short === short)).toEqual([])
    vm.release()
  })
}
