import type { CommandContext } from '@stricli/core'
import type { Environment } from './config.ts'

/** What every command is given. */
export interface CliContext extends CommandContext {
  readonly process: NodeJS.Process
  readonly env: Environment
  /** Aborted by the first Ctrl-C; a second one ends the process at once. */
  readonly signal: AbortSignal
  /** Says with which code the process will end. */
  readonly end: (code: number) => void
}
