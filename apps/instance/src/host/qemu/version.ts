import type { Runner } from '@berth/host'

/** Version of a QEMU, e.g. `7.2.22`; `unknown` when it does not say. */
export async function qemuVersion(runner: Runner, binary: string): Promise<string> {
  const { stdout } = await runner.run([binary, '--version'], { timeoutMs: 10_000 })
  return /version (\d+(?:\.\d+)*)/.exec(stdout)?.[1] ?? 'unknown'
}
