import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { failedPrecondition, internal } from '@berth/errors'

declare const __BERTH_PRODUCTION__: boolean | undefined

const registered = new Set<string>()
const used = new Map<string, number>()
let armedFile: string | undefined

/** Makes a failpoint known by name, so that tests can find and arm every one. */
export function registerFailpoint(name: string): void {
  registered.add(name)
}

/** Every failpoint of this process, sorted. */
export function failpointNames(): string[] {
  return [...registered].toSorted()
}

/**
 * Lets tests make named points fail. Writes the names known so far to `<file>.names.<service>`.
 *
 * The file has lines `name=action` with an optional ` *N` (only the first N hits): `error`, `exit` (SIGKILL to itself), `sleep:MS`, or `stall`
 * (until the line is gone or the signal aborts). It is read again at each hit. Each point that acts first adds its name to `<file>.hits`, so that a
 * test knows when it is held there.
 *
 * @param options.file `BERTH_FAILPOINTS_FILE`; undefined arms nothing
 * @throws FailedPrecondition(`FAILPOINTS_IN_PRODUCTION`) in a production bundle
 */
export function armFailpoints({ file, service }: { file: string | undefined; service: string }): void {
  if (file !== undefined && typeof __BERTH_PRODUCTION__ !== 'undefined' && __BERTH_PRODUCTION__)
    throw failedPrecondition('FAILPOINTS_IN_PRODUCTION', 'BERTH_FAILPOINTS_FILE is for test builds only')
  armedFile = file
  used.clear()
  if (file !== undefined) writeFileSync(`${file}.names.${service}`, `${failpointNames().join('\n')}\n`)
}

/** Does what the file says of this point; nothing when none is armed. @throws Internal(`FAILPOINT`), or the signal's reason while stalled */
export async function failpoint(name: string, signal: AbortSignal): Promise<void> {
  if (armedFile === undefined) return
  const action = take(name)
  if (action === undefined) return
  appendFileSync(`${armedFile}.hits`, `${name}\n`)
  if (action === 'error') throw internal('FAILPOINT', `failpoint ${name}`, { metadata: { failpoint: name } })
  if (action === 'exit') process.kill(process.pid, 'SIGKILL')
  if (action.startsWith('sleep:'))
    await delay(Number(action.slice('sleep:'.length)), undefined, { signal }).catch(() => signal.throwIfAborted())
  while (action === 'stall' && actionOf(name)?.action === 'stall') {
    await delay(20, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

function take(name: string): string | undefined {
  const found = actionOf(name)
  if (found === undefined) return undefined
  const hits = (used.get(found.line) ?? 0) + 1
  used.set(found.line, hits)
  return hits > found.times ? undefined : found.action
}

function actionOf(name: string): { action: string; times: number; line: string } | undefined {
  const line = read().find((candidate) => candidate.startsWith(`${name}=`))
  const match = line && /^[^=]+=(\S+)(?:\s+\*(\d+))?$/.exec(line)
  return match
    ? { action: match[1] ?? '', times: match[2] === undefined ? Number.POSITIVE_INFINITY : Number(match[2]), line: match[0] }
    : undefined
}

function read(): string[] {
  try {
    return readFileSync(armedFile ?? '', 'utf8')
      .split('\n')
      .map((line) => line.trim())
  } catch {
    return []
  }
}
