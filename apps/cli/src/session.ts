import { readFileSync } from 'node:fs'
import { type Api, openApi } from './api.ts'
import { type Context, DEFAULT_ENDPOINT, type Environment, readConfigFile } from './config.ts'
import { UsageError } from './exit.ts'

/** Flags that say whom to talk to; they win over the environment, which wins over the file. */
export interface ConnectionFlags {
  readonly endpoint?: string
  readonly context?: string
  readonly project?: string
}

/** The context a command runs in, once flags, environment and file are laid over each other. */
export interface Connection extends Context {
  readonly name: string
  readonly token: string
}

/**
 * Finds out whom to talk to and with which key.
 *
 * @throws UsageError when a context is named that the file does not have, or no key is found
 */
export function resolveConnection(env: Environment, flags: ConnectionFlags): Connection {
  const file = readConfigFile(env.configFile)
  const name = flags.context ?? env.context ?? file.current ?? 'default'
  const context = file.contexts[name]
  if (!context && (flags.context ?? env.context)) throw new UsageError(`no context “${name}” in ${env.configFile}`)
  const tokenFile = env.tokenFile ?? context?.tokenFile
  return {
    name,
    endpoint: flags.endpoint ?? env.endpoint ?? context?.endpoint ?? DEFAULT_ENDPOINT,
    tokenFile,
    project: flags.project ?? env.project ?? context?.project,
    token: env.token ?? readToken(tokenFile, env.configFile),
  }
}

/** Opens the API of the resolved connection; `signal` ends every call. */
export function openSession(env: Environment, flags: ConnectionFlags): Api {
  return openApi(resolveConnection(env, flags))
}

function readToken(file: string | undefined, configFile: string): string {
  if (!file) throw new UsageError(`no API key: set BERTH_TOKEN or BERTH_TOKEN_FILE, or run \`npm start\`, which writes ${configFile}`)
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new UsageError(`cannot read the API key: ${(error as Error).message}`)
  }
}
