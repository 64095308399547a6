import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'

/** A copy of the working tree in which sources may be broken. */
export interface Tree extends Disposable {
  readonly root: string
  /** Puts a patch on, exactly; false when it does not apply. */
  tries(patch: string): boolean
  revert(patch: string): void
}

const prefix = '/var/tmp/berth-mutants-'

/** Removes what runs that were killed have left. */
function sweep(): void {
  for (const left of globSync(`${prefix}*`)) if (!existsSync(`/proc/${/-(\d+)-[^-]*$/.exec(left)?.[1]}`)) rmSync(left, { recursive: true })
}

/** Copies what git knows or would add, and what is generated; what is only used comes by links. */
export function copyTree(home: string): Tree {
  sweep()
  const root = mkdtempSync(`${prefix}${process.pid}-`)
  const copy =
    'git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --no-dereference -t "$0" 2>&1 | grep -v "No such file" ; cp -a --parents packages/proto/src/gen "$0"'
  must(spawnSync('sh', ['-c', copy, root], { cwd: home, encoding: 'utf8' }), 'the tree could not be copied')
  // Links of workspaces lead to their neighbours: copied, they lead to the copy.
  linkEach(path.join(home, 'node_modules'), path.join(root, 'node_modules'), ['@berth', '.vite', '.vitest'])
  must(spawnSync('cp', ['-a', path.join(home, 'node_modules/@berth'), path.join(root, 'node_modules')], { encoding: 'utf8' }), 'no @berth')
  // Builds for tests are made of the copy, and never where others would take them for their own.
  linkEach(path.join(home, '.berth'), path.join(root, '.berth'), [], /^test-/)
  const git = (words: readonly string[]) =>
    spawnSync('git', ['apply', ...words], { cwd: root, encoding: 'utf8', env: { ...process.env, GIT_CEILING_DIRECTORIES: '/var' } })
  return {
    root,
    tries: (patch) => git([patch]).status === 0,
    revert: (patch) => must(git(['--reverse', patch]), 'the patch cannot be taken back'),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  }
}

function linkEach(from: string, to: string, without: readonly string[], never?: RegExp): void {
  mkdirSync(to)
  for (const name of readdirSync(from))
    if (!without.includes(name) && !never?.test(name) && existsSync(path.join(from, name)))
      symlinkSync(path.join(from, name), path.join(to, name))
}

function must({ status, stdout, stderr, error }: ReturnType<typeof spawnSync>, what: string): void {
  if (error || status !== 0) throw new Error(`${what}: ${error?.message ?? `${String(stdout)}${String(stderr)}`.trim()}`)
}
