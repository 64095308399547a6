import { spawnSync } from 'node:child_process'

const MARK = 'BENCH_NAMESPACE'

/**
 * Runs this program again in a network namespace of its own, so that ports, bridges and rules of the machine do not matter and nothing stays.
 *
 * @returns the exit code of that run; undefined inside it, with the loopback up
 */
export function inOwnNamespace(argv: readonly string[]): number | undefined {
  if (process.env[MARK]) {
    must(['ip', 'link', 'set', 'lo', 'up'])
    return undefined
  }
  const words = ['--pdeathsig', 'TERM', 'unshare', '--net', process.execPath, ...argv]
  const { status, error } = spawnSync('setpriv', words, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } })
  if (error) throw error
  return status ?? 1
}

/** Runs a command that has to succeed. */
export function must([program = '', ...args]: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  if (error || status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`)
}
