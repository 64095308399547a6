import { buildCommand, type Command } from '@stricli/core'
import type { Api } from './api.ts'
import type { CliContext } from './context.ts'
import { describeError, exitCodeOf, UsageError } from './exit.ts'
import { FORMATS, type Format, isFormat, type Printer, printer } from './output/printer.ts'
import { type ConnectionFlags, openSession } from './session.ts'

/** Flags of every command. */
export interface CommonFlags extends ConnectionFlags {
  readonly output?: string
  readonly quiet: boolean
  readonly noHeaders: boolean
}

/** What a command works with besides its own flags. */
export interface Work {
  readonly cli: CliContext
  readonly signal: AbortSignal
  readonly out: Printer
  readonly quiet: boolean
  /** The API, opened at the first use; closed when the command ends. */
  readonly api: Api
}

const text = (value: string) => value

export const commonFlags = {
  output: { kind: 'parsed', parse: text, optional: true, brief: `Output format: ${FORMATS.join(', ')}`, placeholder: 'format' },
  quiet: { kind: 'boolean', default: false, withNegated: false, brief: 'Ids only, no progress' },
  noHeaders: { kind: 'boolean', default: false, withNegated: false, brief: 'Tables without their header' },
  endpoint: { kind: 'parsed', parse: text, optional: true, brief: 'Address of the gateway', placeholder: 'url' },
  context: { kind: 'parsed', parse: text, optional: true, brief: 'Context of the configuration file', placeholder: 'name' },
  project: { kind: 'parsed', parse: text, optional: true, brief: 'Project', placeholder: 'name' },
} as const

export const commonAliases = { o: 'output', q: 'quiet', p: 'project' } as const

interface Definition<F extends object, A extends readonly string[]> {
  readonly brief: string
  /** Longer help. */
  readonly full?: string
  /** Own flags in stricli's form. */
  readonly flags?: object
  readonly aliases?: Readonly<Record<string, string>>
  /** Positional parameters in stricli's form. */
  readonly positional?: object
  readonly run: (work: Work, flags: F & CommonFlags, ...args: A) => Promise<void>
}

/** A command with the common flags, an API that opens on use and is closed at the end, and a printer for its output. */
export function command<F extends object = object, A extends readonly string[] = readonly string[]>(
  definition: Definition<F, A>,
): Command<CliContext> {
  const parameters = {
    flags: { ...definition.flags, ...commonFlags },
    aliases: { ...commonAliases, ...definition.aliases },
    ...(definition.positional ? { positional: definition.positional } : {}),
  }
  async function func(this: CliContext, flags: F & CommonFlags, ...args: A): Promise<void> {
    let api: Api | undefined
    const work: Work = {
      cli: this,
      signal: this.signal,
      quiet: flags.quiet,
      get out() {
        return printer(this.cli.process.stdout, { format: formatOf(flags, this.cli), noHeaders: flags.noHeaders })
      },
      get api() {
        api ??= openSession(this.cli.env, flags)
        return api
      },
    }
    try {
      await definition.run(work, flags, ...args)
    } catch (error) {
      const text = describeError(error, this.env.debug)
      if (text) this.process.stderr.write(`berth: ${text}\n`)
      this.end(exitCodeOf(error, this.signal.aborted))
    } finally {
      api?.close()
    }
  }
  return buildCommand({
    docs: { brief: definition.brief, fullDescription: definition.full },
    parameters,
    func,
  } as unknown as Parameters<typeof buildCommand<CommonFlags, readonly string[], CliContext>>[0]) as unknown as Command<CliContext>
}

function formatOf(flags: CommonFlags, cli: CliContext): Format {
  if (flags.quiet && !flags.output) return 'id'
  const wanted = flags.output ?? cli.env.output ?? 'table'
  if (!isFormat(wanted)) throw new UsageError(`unknown output format “${wanted}”; one of ${FORMATS.join(', ')}`)
  return wanted
}

type Propose = (this: CliContext, partial: string) => Promise<readonly string[]>

/** A positional parameter that names one resource. */
export function one(placeholder: string, brief: string, proposeCompletions?: Propose) {
  return { kind: 'tuple', parameters: [{ placeholder, brief, parse: text, proposeCompletions }] } as const
}

/** Positional parameters that name at least `minimum` things. */
export function many(placeholder: string, brief: string, minimum = 1, proposeCompletions?: Propose) {
  return { kind: 'array', minimum, parameter: { placeholder, brief, parse: text, proposeCompletions } } as const
}

/** Proposes names of instances to a shell; nothing within a second is an empty proposal. */
export async function instanceNames(this: CliContext, partial: string): Promise<readonly string[]> {
  const api = openSession(this.env, {})
  try {
    const { instances } = await api.instances.listInstances({ pageSize: 1000 }, { timeoutMs: 1000 })
    return instances.map((instance) => instance.name).filter((name) => name.startsWith(partial))
  } catch {
    return []
  } finally {
    api.close()
  }
}

/** A flag with a text. */
export function textFlag(brief: string, placeholder = 'value') {
  return { kind: 'parsed', parse: text, optional: true, brief, placeholder } as const
}

/** A flag that is on or off; off by default. */
export function switchFlag(brief: string) {
  return { kind: 'boolean', default: false, withNegated: false, brief } as const
}
