import { chmodSync, chownSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'

/** Who an embedded server runs as; undefined: as we do, since only root can choose. */
export type Account = { uid: number; gid: number } | undefined

/** The first of these users that the machine knows, when we are root: servers refuse to run as root, or should not. */
export function serverAccount(names: readonly string[]): Account {
  if (process.getuid?.() !== 0) return undefined
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  const fields = names.map((name) => lines.find((line) => line.startsWith(`${name}:`))?.split(':')).find((found) => found !== undefined)
  return fields === undefined ? { uid: 65_534, gid: 65_534 } : { uid: Number(fields[2]), gid: Number(fields[3]) }
}

/** Makes a folder of exactly this mode and owner; parents that are missing become 0755, whatever the umask. */
export function ownFolder(folder: string, mode: number, account: Account): void {
  const parent = path.dirname(folder)
  if (!exists(parent)) ownFolder(parent, 0o755, undefined)
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, mode)
  if (account) chownSync(folder, account.uid, account.gid)
}

/**
 * The folders above `folder` that another user cannot pass, from the top. Empty is as it must be.
 */
export function impassableParents(folder: string, account: Account): string[] {
  if (account === undefined) return []
  const parents: string[] = []
  for (let at = path.dirname(path.resolve(folder)); at !== '/'; at = path.dirname(at)) parents.unshift(at)
  return parents.filter((parent) => exists(parent) && !passable(parent, account))
}

function passable(folder: string, account: NonNullable<Account>): boolean {
  const { mode, uid, gid } = statSync(folder)
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
  return (mode & bit) !== 0
}

function exists(target: string): boolean {
  return statSync(target, { throwIfNoEntry: false }) !== undefined
}
