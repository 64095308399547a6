import { CommandFailed } from './failed.ts'
import type { Runner, RunOptions, RunResult } from './runner.ts'

export type Scripted = {
  /** The exact argument array, or a pattern over the arguments joined by single spaces. */
  argv: string[] | RegExp
  stdout?: string
  stderr?: string
  /** Exit code; default 0. */
  code?: number
  /** Answers every matching call; default false: one call each. */
  always?: boolean
  /** Stands for the command's effect. */
  effect?: (argv: string[], options: RunOptions) => void | Promise<void>
}

export type FakeRunner = Runner & {
  /** Every call so far, arguments joined by single spaces. */
  readonly calls: string[]
  /** Scripted commands that were not asked for yet. */
  readonly left: string[]
}

/** A runner that answers from a script, for unit tests: an unexpected command fails the test. */
export function fakeRunner(script: Scripted[]): FakeRunner {
  const open = [...script]
  const calls: string[] = []
  return {
    calls,
    get left() {
      return open.filter(({ always }) => !always).map(({ argv }) => (argv instanceof RegExp ? String(argv) : argv.join(' ')))
    },
    async run(argv, options): Promise<RunResult> {
      const line = argv.join(' ')
      calls.push(line)
      const index = open.findIndex((entry) => matches(entry.argv, argv, line))
      const entry = open[index]
      if (!entry) throw new Error(`unexpected command: ${line}`)
      if (!entry.always) open.splice(index, 1)
      await entry.effect?.(argv, options)
      const { stdout = '', stderr = '', code = 0 } = entry
      if (!(options.okCodes ?? [0]).includes(code)) throw new CommandFailed({ argv, failure: 'exit', code, stdout, stderr })
      return { stdout, stderr, code }
    },
  }
}

function matches(expected: string[] | RegExp, argv: string[], line: string): boolean {
  if (expected instanceof RegExp) return expected.test(line)
  return expected.length === argv.length && expected.every((part, index) => part === argv[index])
}
