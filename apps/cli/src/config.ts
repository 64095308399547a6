import { readFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** What the environment says; the only place of the CLI that reads it. */
export interface Environment {
  readonly configFile: string
  readonly endpoint?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly project?: string
  readonly context?: string
  readonly output?: string
  readonly debug: boolean
  readonly colour: boolean
  readonly shell: string
  readonly runDir: string
  readonly dataDir: string
  /** The clone, or the folder an installation lives in. */
  readonly home: string
}

/** One way to reach a Berth: where, with which key, for which project. */
export interface Context {
  readonly endpoint: string
  readonly tokenFile?: string
  readonly project?: string
}

/** The CLI's file: contexts by name and the one in use. */
export interface ConfigFile {
  readonly current?: string
  readonly contexts: Readonly<Record<string, Context>>
}

export const DEFAULT_ENDPOINT = 'http://127.0.0.1:7000'

export function readEnvironment(env: NodeJS.ProcessEnv = process.env): Environment {
  const home = env['XDG_CONFIG_HOME'] || path.join(env['HOME'] || os.homedir(), '.config')
  return {
    configFile: env['BERTH_CONFIG'] || path.join(home, 'berth', 'config.json'),
    endpoint: env['BERTH_ENDPOINT'] || undefined,
    token: env['BERTH_TOKEN'] || undefined,
    tokenFile: env['BERTH_TOKEN_FILE'] || undefined,
    project: env['BERTH_PROJECT'] || undefined,
    context: env['BERTH_CONTEXT'] || undefined,
    output: env['BERTH_OUTPUT'] || undefined,
    debug: isOn(env['BERTH_DEBUG']),
    colour: wantsColour(env, process.stdout.isTTY === true),
    shell: path.basename(env['SHELL'] || 'bash'),
    runDir: env['BERTH_RUN_DIR'] || '/run/berth',
    dataDir: env['BERTH_DATA_DIR'] || '/var/lib/berth',
    home: env['BERTH_HOME'] || path.resolve(import.meta.dirname, '../../..'),
  }
}

/** `NO_COLOR` and `TERM=dumb` forbid, `FORCE_COLOR` forces, else a terminal decides (no-color.org, force-color.org). */
export function wantsColour(env: NodeJS.ProcessEnv, tty: boolean): boolean {
  if (env['NO_COLOR']) return false
  if (env['FORCE_COLOR']) return true
  return tty && env['TERM'] !== 'dumb'
}

/** The file's contexts; none when there is no file. Throws when it is not what the CLI writes. */
export function readConfigFile(file: string): ConfigFile {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { contexts: {} }
    throw error
  }
  const parsed: unknown = JSON.parse(text)
  if (typeof parsed !== 'object' || parsed === null || !('contexts' in parsed)) throw new Error(`${file}: not a Berth configuration`)
  return parsed as ConfigFile
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value !== 'false'
}
