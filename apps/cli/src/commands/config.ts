import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { command, one } from '../command.ts'
import { readConfigFile } from '../config.ts'
import { UsageError } from '../exit.ts'
import { resolveConnection } from '../session.ts'

export const viewConfig = command({
  brief: 'Show the configuration in force, without secrets',
  async run({ cli, out }, flags) {
    const connection = resolveConnection(cli.env, flags)
    const shown = {
      file: cli.env.configFile,
      context: connection.name,
      endpoint: connection.endpoint,
      project: connection.project ?? 'default',
      tokenFile: connection.tokenFile ?? '',
      token: connection.token ? '<redacted>' : '<unset>',
      contexts: Object.keys(readConfigFile(cli.env.configFile).contexts),
    }
    out.value(
      shown,
      Object.entries(shown)
        .map(([key, value]) => `${`${key}:`.padEnd(11)} ${String(value)}`)
        .join('\n'),
    )
  },
})

export const useContext = command<object, readonly [string]>({
  brief: 'Choose the context that commands use',
  positional: one('context', 'Name'),
  async run({ cli, out }, _flags, name) {
    const file = readConfigFile(cli.env.configFile)
    if (!file.contexts[name]) throw new UsageError(`no context “${name}”; there are: ${Object.keys(file.contexts).join(', ') || 'none'}`)
    const temporary = `${cli.env.configFile}.${process.pid}`
    mkdirSync(path.dirname(cli.env.configFile), { recursive: true, mode: 0o700 })
    writeFileSync(temporary, `${JSON.stringify({ ...file, current: name }, undefined, 2)}\n`, { mode: 0o600 })
    renameSync(temporary, cli.env.configFile)
    out.line(`context/${name} in use`)
  },
})
