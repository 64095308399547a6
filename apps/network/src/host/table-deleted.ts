import { CommandFailed, type Runner } from '@berth/host'

/** A runner's commands have a bound; a watch is begun again after this. */
const watchMs = 24 * 3600 * 1000

/**
 * Waits for the first word of `nft monitor` on a table that went, be it by `flush ruleset` or by a restart of the host's firewall, and ends it then.
 * What it says of sets that it does not know is no news.
 */
export async function tableDeleted(runner: Runner, signal: AbortSignal): Promise<void> {
  try {
    await runner.run(['nft', 'monitor', 'destroy', 'tables'], { timeoutMs: watchMs, signal, maxOutputBytes: 1, dropStderr: true })
  } catch (error) {
    if (error instanceof CommandFailed && error.failure === 'output') return
    if (error instanceof CommandFailed && error.failure === 'timeout') return tableDeleted(runner, signal)
    throw error
  }
  throw new Error('nft stopped watching')
}
