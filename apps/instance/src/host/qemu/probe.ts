import { access, readFile } from 'node:fs/promises'
import path from 'node:path'
import { atomicWrite, CommandFailed, type Runner } from '@berth/host'
import type { Accelerator } from './arguments.ts'

export type ProbeResult = { accelerator: Accelerator; reason: string }

export type ProbeOptions = {
  runner: Runner
  binary: string
  version: string
  hostBootId: string
  /** `<data>/instance`. */
  dataDir: string
  /** The kernel and initramfs that instances get; undefined while there is none. */
  kernel: (signal: AbortSignal) => Promise<{ kernelPath: string; initramfsPath: string; digest: string } | undefined>
}

/** A real kernel has this long to reach our init on KVM. */
const bootMs = 10_000
/** What our init says first: the kernel has come up and user land runs. */
const sign = 'berth-agent'

type Kept = ProbeResult & { key: string }

/**
 * Finds out whether KVM works here, by booting the real kernel on it: a device node, or a trivial guest, is no proof. The answer is kept for the
 * host's boot, the kernel and QEMU's version. Undefined: there is no kernel yet to try it with.
 */
export async function probeKvm(options: ProbeOptions, signal: AbortSignal): Promise<ProbeResult | undefined> {
  const file = path.join(options.dataDir, 'kvm-probe.json')
  const kernel = await options.kernel(signal)
  if (!kernel) return undefined
  const key = [options.hostBootId, kernel.digest, options.version].join(' ')
  const kept = await readKept(file)
  if (kept?.key === key) return { accelerator: kept.accelerator, reason: kept.reason }
  const result = await boot(options, kernel, signal)
  await atomicWrite(file, `${JSON.stringify({ key, ...result })}\n`)
  return result
}

async function boot(
  { runner, binary }: ProbeOptions,
  kernel: { kernelPath: string; initramfsPath: string },
  signal: AbortSignal,
): Promise<ProbeResult> {
  try {
    const { stdout } = await runner.run(probeArguments(binary, kernel), { timeoutMs: bootMs, signal, okCodes: [0, 1] })
    if (stdout.includes(sign)) return { accelerator: 'kvm', reason: 'a guest with the real kernel booted on KVM' }
    return { accelerator: 'tcg', reason: `a guest on KVM ended before its kernel reached init${await moduleHint()}` }
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    if (error.stdout.includes(sign)) return { accelerator: 'kvm', reason: 'a guest with the real kernel booted on KVM' }
    if (error.failure === 'timeout')
      return { accelerator: 'tcg', reason: `a guest on KVM did not reach init within ${bootMs / 1000} s${await moduleHint()}` }
    if (error.failure === 'aborted') throw error
    return { accelerator: 'tcg', reason: `a guest on KVM did not run: ${firstLine(error.stderr)}${await moduleHint()}` }
  }
}

function probeArguments(binary: string, { kernelPath, initramfsPath }: { kernelPath: string; initramfsPath: string }): string[] {
  return [
    ...[binary, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio', '-monitor', 'none'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-machine', 'q35', '-accel', 'kvm', '-cpu', 'host', '-smp', '1', '-m', '256M'],
    ...['-kernel', kernelPath, '-initrd', initramfsPath, '-append', 'console=ttyS0 quiet panic=-1'],
  ]
}

/** The likely reason, where the module tells it. */
async function moduleHint(): Promise<string> {
  const pvm = await access('/sys/module/kvm_pvm').then(
    () => true,
    () => false,
  )
  return pvm ? ' (the host has kvm_pvm, which runs no unmodified kernel)' : ''
}

/** What QEMU says first is why; what follows is how it fell. */
function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 300) ?? ''
}

async function readKept(file: string): Promise<Kept | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Kept
  } catch {
    // Missing or torn: it is tried again.
    return undefined
  }
}
