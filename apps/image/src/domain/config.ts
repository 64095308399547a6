import { invalidArgument } from '@berth/errors'
import { type Digest, isDigest } from './digest.ts'
import { objectOf, parseJson, textOf, textsOf } from './json.ts'

/** What an image says about running it. Fields as in `berth.image.v1.ImageConfig`. */
export interface RunConfig {
  entrypoint: string[]
  cmd: string[]
  env: string[]
  user: string
  workingDir: string
  stopSignal: string
  labels: Record<string, string>
}

/** An image's configuration, checked. */
export interface Configuration {
  run: RunConfig
  /** Digests of the unpacked layers, bottom first. */
  diffIds: Digest[]
}

const refused = (why: string) => invalidArgument('MANIFEST_INVALID', `the image's configuration is refused: ${why}`, { field: 'reference' })

/**
 * Parses an image configuration (OCI image spec, config; Docker's has the same fields).
 *
 * @param layers how many layers the manifest has; the configuration must name as many
 * @throws InvalidArgument(`MANIFEST_INVALID`): wrong types, another platform, a user, variable or directory that cannot be one
 */
export function parseConfiguration(bytes: Uint8Array, layers: number, architecture = 'amd64'): Configuration {
  const json = parseJson(bytes, refused)
  if (json.os !== 'linux' || json.architecture !== architecture) throw refused(`it is not for linux/${architecture}`)
  const rootfs = objectOf(json.rootfs, 'rootfs', refused)
  const diffIds = textsOf(rootfs.diff_ids, 'diff_ids', refused).map((id) => {
    if (!isDigest(id)) throw refused('a diff_id is no digest')
    return id
  })
  if (rootfs.type !== 'layers' || diffIds.length !== layers) throw refused('its layers are not those of the manifest')
  return { run: parseRun(json.config ?? {}), diffIds }
}

function parseRun(value: unknown): RunConfig {
  const config = objectOf(value, 'config', refused)
  const env = textsOf(config.Env, 'Env', refused)
  if (!env.every((line) => line.indexOf('=') > 0)) throw refused('“Env” holds a line that is not NAME=value')
  const workingDir = textOf(config.WorkingDir, 'WorkingDir', refused)
  if (workingDir !== '' && !workingDir.startsWith('/')) throw refused('“WorkingDir” is not absolute')
  const stopSignal = textOf(config.StopSignal, 'StopSignal', refused)
  if (!/^(?:SIG[A-Z0-9+-]{2,12}|[0-9]{1,2})?$/.test(stopSignal)) throw refused('“StopSignal” is no signal')
  const user = textOf(config.User, 'User', refused)
  if (!/^[^\s:]{0,255}(?::[^\s:]{0,255})?$/.test(user)) throw refused('“User” is no user')
  return {
    entrypoint: textsOf(config.Entrypoint, 'Entrypoint', refused),
    cmd: textsOf(config.Cmd, 'Cmd', refused),
    env,
    user,
    workingDir,
    stopSignal,
    labels: labels(config.Labels),
  }
}

function labels(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {}
  return Object.fromEntries(Object.entries(objectOf(value, 'Labels', refused)).map(([key, text]) => [key, textOf(text, 'Labels', refused)]))
}
