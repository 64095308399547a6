import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')

type Manifest = Partial<Record<'dependencies' | 'devDependencies' | 'optionalDependencies', Record<string, string>>>

function manifests(): string[] {
  const inFolder = (folder: string) => readdirSync(path.join(root, folder)).map((name) => `${folder}/${name}/package.json`)
  const files = ['package.json', ...inFolder('packages'), ...inFolder('apps')]
  return files.filter((file) => !file.startsWith('apps/guest-agent') && !file.startsWith('apps/vm-shim'))
}

/** Dependencies whose version is a range. A range lets `npm ci` differ from what was tested. */
function ranges(file: string): string[] {
  const manifest = JSON.parse(readFileSync(path.join(root, file), 'utf8')) as Manifest
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies }
  return Object.entries(all).flatMap(([name, version]) =>
    /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version) ? [] : [`${file}: ${name}@${version}`],
  )
}

test('every npm dependency is pinned to one version', () => {
  expect(manifests().flatMap(ranges)).toEqual([])
})

test('the lock names no registry, so that the one of the machine is used', () => {
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, { resolved?: string }> }
  const hosts = Object.entries(lock.packages).flatMap(([name, { resolved }]) => (resolved?.includes('://') ? [`${name}: ${resolved}`] : []))
  expect(hosts).toEqual([])
})
