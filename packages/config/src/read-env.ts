import { invalidArgument } from '@berth/errors'
import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { unknownNames } from './known-names.ts'
import { type HostPort, parseBytes, parseDuration, parseHostPort } from './quantities.ts'

export type Environment = Record<string, string | undefined>

type Parse<T> = (text: string) => T | undefined
/** Reads one variable: with a default, which is not parsed; without one it must be set. Set but empty is the same as unset. */
type Reader<T> = { (name: string): T; <D>(name: string, fallback: D): T | D }

/** Parsers that note what is wrong and go on, so that all problems are told at once. */
export type Env = {
  string: Reader<string>
  /** A whole number, with optional bounds. */
  int(name: string, fallback?: number, bounds?: { min?: number; max?: number }): number
  port: Reader<number>
  /** Milliseconds; a unit must be named: `30s`, `1h30m`. */
  duration: Reader<number>
  /** Bytes: `8GiB`, `10GB`, `4096`. */
  bytes: Reader<number>
  /** `host:port`. */
  hostPort: Reader<HostPort>
  /** Words parted by commas; empty ones are left out. */
  list: Reader<string[]>
  /** `1 true yes on` or `0 false no off`. */
  bool: Reader<boolean>
  /** An absolute path. */
  path: Reader<string>
  url: Reader<string>
  /** One word of a set. */
  oneOf<T extends string>(name: string, words: readonly T[], fallback?: T): T
  /** A secret, from the variable or from the file that `<NAME>_FILE` names; its last line end is cut. */
  secret: Reader<string>
}

/**
 * Reads a configuration out of variables.
 *
 * @param toConfig builds the configuration; pure, and called once
 * @param known variables beginning with `BERTH_` that only this program reads
 * @throws INVALID_ARGUMENT (`BAD_CONFIGURATION`) naming every variable that is wrong or missing
 */
export function readEnv<T>(
  environment: Environment,
  toConfig: (env: Env) => T,
  known: readonly string[] = [],
): { config: T; warnings: string[] } {
  const problems: string[] = []
  const config = toConfig(makeEnv(environment, problems))
  if (problems.length > 0)
    throw invalidArgument('BAD_CONFIGURATION', problems.join('\n'), { metadata: { problems: String(problems.length) } })
  return { config, warnings: unknownNames(environment, known) }
}

function makeEnv(environment: Environment, problems: string[]): Env {
  const value = (name: string): string | undefined => environment[name] || undefined

  function reader<T>(expected: string, parse: Parse<T>, read = value): Reader<T> {
    return (name: string, ...fallback: unknown[]) => {
      const text = read(name)
      if (text === undefined) {
        if (fallback.length === 0) problems.push(`${name} is not set: ${expected}`)
        return fallback[0] as T
      }
      const parsed = parse(text)
      if (parsed === undefined) problems.push(`${name} is no ${expected}`)
      return parsed as T
    }
  }

  function readSecret(name: string): string | undefined {
    const file = value(`${name}_FILE`)
    if (!file) return value(name)
    if (value(name)) problems.push(`${name} and ${name}_FILE are both set`)
    try {
      return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    } catch (error) {
      problems.push(`${name}_FILE cannot be read: ${(error as NodeJS.ErrnoException).code}`)
      return ''
    }
  }

  return {
    string: reader('text', (text) => text),
    int: (name, fallback, { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = {}) => {
      const read = reader(`whole number from ${min} to ${max}`, (text) => wholeNumber(text, min, max))
      return fallback === undefined ? read(name) : read(name, fallback)
    },
    port: reader('port (0 to 65535)', (text) => wholeNumber(text, 0, 65_535)),
    duration: reader('duration with a unit, e.g. 30s or 5m', parseDuration),
    bytes: reader('size, e.g. 512MiB or 8GiB', parseBytes),
    hostPort: reader('address of the form host:port', parseHostPort),
    list: reader('list of words parted by commas', (text) =>
      text
        .split(',')
        .map((word) => word.trim())
        .filter(Boolean),
    ),
    bool: reader('yes or no', (text) => (/^(1|true|yes|on)$/i.test(text) ? true : /^(0|false|no|off)$/i.test(text) ? false : undefined)),
    path: reader('absolute path', (text) => (isAbsolute(text) && !text.includes('\0') ? text : undefined)),
    url: reader('URL', (text) => (URL.canParse(text) ? text : undefined)),
    oneOf: (name, words, fallback) => {
      const read = reader(`word of ${words.join(' | ')}`, (text) => words.find((word) => word === text))
      return fallback === undefined ? read(name) : read(name, fallback)
    },
    secret: reader('secret', (text) => text, readSecret),
  }
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  const number = Number(text)
  return /^[+-]?\d+$/.test(text) && number >= min && number <= max ? number : undefined
}
