import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { exec } from './exec.mjs'
import { say, timed } from './log.mjs'

const APT = ['-qq', '-o', 'DPkg::Lock::Timeout=300', '-o', 'APT::Sandbox::User=root']
/** dpkg is given the time to finish the package it is at: killed in the middle it leaves work for the machine's owner. */
const DPKG_GRACE_MS = 60_000
const QUIET = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
let updating

/** Refreshes the package lists, once however many steps ask for it. */
function updateLists() {
  updating ??= timed('apt-get update', () => exec('apt-get', ['update', ...APT]))
  return updating
}

/** Package lists may be absent or older than the archive: on failure they are refreshed and the work is tried once more. */
async function withFreshLists(work) {
  try {
    return await work()
  } catch {
    await updateLists()
    return work()
  }
}

/** Of the named packages, those that are not installed. */
export async function missingPackages(names) {
  // dpkg-query exits 1 as soon as one name is unknown to it, and still lists the others.
  const listing = await exec('sh', [
    '-c',
    `dpkg-query -W -f '\${db:Status-Status} \${Package}\\n' "$@" 2>/dev/null || true`,
    'sh',
    ...names,
  ])
  const present = new Set(listing.split('\n').flatMap((line) => (line.startsWith('installed ') ? [line.slice(10)] : [])))
  return names.filter((name) => !present.has(name))
}

/** Installs what is missing with one apt-get, without recommended packages, after saying which. It removes none: apt then says what is in the way. */
export async function installPackages(names) {
  const missing = await missingPackages(names)
  if (missing.length === 0) return
  say(`installing Debian packages: ${missing.join(' ')}`)
  await timed('apt-get install', () =>
    withFreshLists(() =>
      exec('apt-get', ['install', '-y', '--no-remove', '--no-install-recommends', ...APT, ...missing], {
        env: QUIET,
        graceMs: DPKG_GRACE_MS,
      }),
    ),
  )
  // For whoever wants to take them back: what was there before is not in this list.
  appendFileSync('.berth/installed-packages', `${missing.join('\n')}\n`)
}

/** Downloads packages and unpacks their files below `target` without installing them: no unit is enabled, nothing conflicts. */
export async function unpackPackages(names, target) {
  const folder = mkdtempSync(path.join(tmpdir(), 'berth-debs-'))
  try {
    await withFreshLists(() => exec('apt-get', ['download', ...APT, ...names], { cwd: folder }))
    mkdirSync(target, { recursive: true })
    for (const file of readdirSync(folder)) await exec('dpkg-deb', ['-x', path.join(folder, file), target])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The package, with its version, that a meta-package depends on and whose name starts with `prefix`. */
export async function dependencyOf(metaPackage, prefix) {
  const record = await withFreshLists(() => exec('apt-cache', ['show', '--no-all-versions', metaPackage]))
  return parseDependency(record, prefix)
}

/** Reads `Depends:` of a control record. @throws when nothing there starts with `prefix` */
export function parseDependency(record, prefix) {
  const depends = /^Depends: (.*)$/m.exec(record)?.[1] ?? ''
  for (const item of depends.split(',')) {
    const [, name, version] = /^\s*([a-z0-9.+-]+)(?:\s+\(= ([^)]+)\))?/.exec(item) ?? []
    if (name?.startsWith(prefix)) return { name, version: version ?? '' }
  }
  throw new Error(`no dependency ${prefix}… in: ${record.slice(0, 200)}`)
}
