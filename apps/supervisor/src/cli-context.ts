import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'

interface ConfigFile {
  current?: string
  contexts: Record<string, { endpoint: string; tokenFile?: string; project?: string }>
}

/**
 * Writes the CLI's context of this host (`local`), and makes it the current one when there is none or it was of this kind.
 * Other contexts of the file stay as they are.
 */
export function writeCliContext(file: string, context: { readonly endpoint: string; readonly tokenFile: string }): void {
  const config = read(file)
  config.contexts['local'] = { ...config.contexts['local'], ...context }
  config.current ??= 'local'
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  const temporary = `${file}.${process.pid}`
  writeFileSync(temporary, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(temporary, file)
}

function read(file: string): ConfigFile {
  try {
    const parsed = JSON.parse(readFileSync(file, 'utf8')) as Partial<ConfigFile>
    return { ...parsed, contexts: { ...parsed.contexts } }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { contexts: {} }
    throw new Error(`${file} cannot be read: ${(error as Error).message}`)
  }
}
