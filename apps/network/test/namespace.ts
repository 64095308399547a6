import { randomBytes } from 'node:crypto'
import type { Runner, RunResult } from '@berth/host'
import type { Settings } from '../src/host/sysctl.ts'

/** A network namespace of a test's own; gone with everything in it when the test ends. */
export type Namespace = AsyncDisposable & {
  name: string
  /** Runs commands inside. */
  runner: Runner
  /** Runs one command inside and gives its result, whatever its exit code. */
  exec(...argv: string[]): Promise<RunResult>
  /** Runs one command inside that must succeed. */
  must(...argv: string[]): Promise<string>
  settings: Settings
}

const anyCode = Array.from({ length: 256 }, (_, code) => code)

/** Makes a namespace with its loopback up. */
export async function createNamespace(outer: Runner, label: string): Promise<Namespace> {
  const name = `berth-test-${label}-${randomBytes(3).toString('hex')}`
  await outer.run(['ip', 'netns', 'add', name], { timeoutMs: 10_000 })
  const runner: Runner = { ...outer, run: (argv, options) => outer.run(['nsenter', `--net=/run/netns/${name}`, '--', ...argv], options) }
  const exec = (...argv: string[]) => runner.run(argv, { timeoutMs: 30_000, okCodes: anyCode })
  const must = async (...argv: string[]) => (await runner.run(argv, { timeoutMs: 30_000 })).stdout
  await must('ip', 'link', 'set', 'lo', 'up')
  return {
    name,
    runner,
    exec,
    must,
    settings: {
      async read(setting) {
        const { code, stdout } = await exec('cat', `/proc/sys/${setting}`)
        return code === 0 ? stdout.trim() : undefined
      },
      async write(setting, value) {
        await runner.run(['tee', `/proc/sys/${setting}`], { timeoutMs: 10_000, input: value })
      },
      hasLink: async (link) => (await exec('ip', 'link', 'show', 'dev', link)).code === 0,
    },
    async [Symbol.asyncDispose]() {
      await outer.run(['ip', 'netns', 'del', name], { timeoutMs: 10_000 })
    },
  }
}

/** Joins two namespaces by a pair of links. */
export async function joinNamespaces(a: Namespace, linkA: string, b: Namespace, linkB: string): Promise<void> {
  await a.must('ip', 'link', 'add', 'name', linkA, 'type', 'veth', 'peer', 'name', linkB, 'netns', b.name)
}
