import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { home } from './home.ts'

/** Folder of the bundles of the sources as they are now, one a process, made by whoever comes first; they know failpoints. */
export function testBuild(): string {
  mkdirSync(path.join(home, '.berth'), { recursive: true })
  const words = [path.join(home, '.berth/test-build.lock'), process.execPath, path.join(home, 'scripts/bundle.mjs'), '--test']
  const { status, stdout, stderr } = spawnSync('flock', words, { encoding: 'utf8' })
  if (status === 0) return stdout.trim()
  throw new Error(`the sources could not be bundled: ${stderr}`)
}

/** What a process of such a build has in its environment: what Node makes of a bundle is kept beside it. */
export function compileCacheOf(build: string): { NODE_COMPILE_CACHE: string } {
  return { NODE_COMPILE_CACHE: path.join(build, '.cache') }
}
