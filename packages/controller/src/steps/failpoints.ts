import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { cutPoints, type Point } from '@berth/db'
import { failedPrecondition, internal } from '@berth/errors'

declare const __BERTH_PRODUCTION__: boolean | undefined

const registered = new Set<string>()
let armedFile: string | undefined

/** Places of the shared machinery, by what has them. */
const shared = { calls: ['call.before', 'call.inside', 'call.committed'], relay: ['relay.before', 'relay.published'] } satisfies Record<
  string,
  Point[]
>
const forEver = new AbortController().signal

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
 * test knows when it is held there; N is counted there too, so that a process that was ended once goes on when it is started again.
 *
 * @param options.file `BERTH_FAILPOINTS_FILE`; undefined arms nothing
 * @param options.cut what the service has of the shared machinery, which gets points `<service>.<place>`; default nothing
 * @throws FailedPrecondition(`FAILPOINTS_IN_PRODUCTION`) in a production bundle
 */
export function armFailpoints({
  file,
  service,
  cut = [],
}: {
  file: string | undefined
  service: string
  cut?: (keyof typeof shared)[]
}): void {
  if (file !== undefined && typeof __BERTH_PRODUCTION__ !== 'undefined' && __BERTH_PRODUCTION__)
    throw failedPrecondition('FAILPOINTS_IN_PRODUCTION', 'BERTH_FAILPOINTS_FILE is for test builds only')
  armedFile = file
  for (const place of cut.flatMap((part) => shared[part])) registerFailpoint(`${service}.${place}`)
  cutPoints(file === undefined || cut.length === 0 ? undefined : (place) => failpoint(`${service}.${place}`, forEver))
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
  const hits = linesOf(`${armedFile}.hits`).filter((line) => line === name).length
  return hits < found.times ? found.action : undefined
}

function actionOf(name: string): { action: string; times: number } | undefined {
  const line = linesOf(armedFile ?? '').find((candidate) => candidate.startsWith(`${name}=`))
  const match = line && /^[^=]+=(\S+)(?:\s+\*(\d+))?$/.exec(line)
  return match ? { action: match[1] ?? '', times: match[2] === undefined ? Number.POSITIVE_INFINITY : Number(match[2]) } : undefined
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.trim())
  } catch {
    return []
  }
}
