import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { type ProcessIdentity, processIdentity } from '@berth/host'

/** What a lock file says of who holds it. */
export type LockHolder = ProcessIdentity & { bootId: string; pidNamespace: string }

export type HeldLock = { release(): Promise<void> }

/**
 * Takes the lock (flock) of a file for as long as this process lives or until it is released; undefined when another holds it.
 * The kernel lets go of it the moment the holder dies, however it dies.
 */
export async function tryLock(file: string, bootId: string): Promise<HeldLock | undefined> {
  await mkdir(path.dirname(file), { recursive: true })
  const handle = await open(file, 'a+', 0o600)
  try {
    if (!(await flock(handle))) {
      await handle.close()
      return undefined
    }
    const holder: LockHolder = { ...selfIdentity(), bootId, pidNamespace: pidNamespace() }
    await handle.truncate(0)
    await handle.appendFile(JSON.stringify(holder))
    return { release: () => handle.close() }
  } catch (error) {
    await handle.close().catch(() => {})
    throw error
  }
}

/** Who holds the lock, as far as the file says; undefined while it is being written. */
export async function lockHolder(file: string): Promise<LockHolder | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as LockHolder
  } catch {
    return undefined
  }
}

/** Pids mean something only within one of these. */
export function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid')
}

/** Node has no flock(2). A lock belongs to the open file and not to the process that asked: flock(1) takes it on our descriptor and leaves. */
async function flock(handle: FileHandle): Promise<boolean> {
  const child = spawn('flock', ['--exclusive', '--nonblock', '3'], { stdio: ['ignore', 'ignore', 'pipe', handle.fd] })
  let stderr = ''
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0) return true
  if (code === 1) return false
  throw new Error(`flock ended with ${code}: ${stderr.trim()}`)
}

function selfIdentity(): ProcessIdentity {
  const self = processIdentity(process.pid)
  if (self === undefined) throw new Error('/proc is not mounted')
  return self
}
