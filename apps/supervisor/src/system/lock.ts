import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { isAlive, processIdentity } from '@berth/host'

/** Another supervisor runs on the same data folder. */
export class AlreadyRunning extends Error {}

interface Holder {
  readonly pid: number
  readonly startTicks: number
  readonly home: string
}

/**
 * Takes the data folder for this supervisor; a dead holder's mark is taken over.
 *
 * @throws AlreadyRunning naming who has it
 */
export function holdDataFolder(dataDir: string, home: string): Disposable {
  mkdirSync(dataDir, { recursive: true })
  const file = path.join(dataDir, 'supervisor.json')
  const self = processIdentity(process.pid)
  if (!self) throw new Error('cannot read /proc/self/stat')
  const text = `${JSON.stringify({ ...self, home } satisfies Holder)}\n`
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      writeFileSync(file, text, { flag: 'wx', mode: 0o644 })
      return { [Symbol.dispose]: () => rmSync(file, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const holder = readHolder(file)
      if (holder && isAlive(holder))
        throw new AlreadyRunning(`Berth runs already on ${dataDir}: process ${holder.pid}, started from ${holder.home}`)
      rmSync(file, { force: true })
    }
  }
  throw new AlreadyRunning(`another start is taking ${dataDir} at this moment`)
}

function readHolder(file: string): Holder | undefined {
  try {
    const parsed = JSON.parse(readFileSync(file, 'utf8')) as Partial<Holder>
    if (typeof parsed.pid !== 'number' || typeof parsed.startTicks !== 'number') return undefined
    return { pid: parsed.pid, startTicks: parsed.startTicks, home: String(parsed.home ?? 'unknown') }
  } catch {
    return undefined
  }
}
