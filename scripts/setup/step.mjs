import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { timed } from './log.mjs'

const SKIPPED = new Set(['node_modules', 'target', 'dist', 'gen', '.turbo'])
const STAMPS = '.berth/stamps'

function filesUnder(entry) {
  const found = []
  const visit = (folder) => {
    for (const item of readdirSync(folder, { withFileTypes: true })) {
      if (SKIPPED.has(item.name)) continue
      const name = path.join(folder, item.name)
      if (item.isDirectory()) visit(name)
      else if (item.isFile() && !/\.test\.\w+$/.test(item.name)) found.push(name)
    }
  }
  visit(entry)
  return found
}

/** A hash over names and contents of files and folders. What does not exist counts as absent; tests and generated folders are left out. */
export function hashOf(inputs) {
  const hash = createHash('sha256')
  for (const input of [...inputs].sort()) {
    if (!existsSync(input)) continue
    const files = statSync(input).isDirectory() ? filesUnder(input) : [input]
    for (const file of files.sort()) hash.update(file).update('\0').update(readFileSync(file)).update('\0')
  }
  return hash.digest('hex')
}

/**
 * Runs `work` when the inputs changed since it last succeeded, or an output is gone; otherwise returns at once.
 *
 * @param step.inputs files and folders, relative to the clone's root
 * @param step.outputs files that must exist afterwards; that they do is checked
 */
export async function step(name, { inputs, outputs }, work) {
  const stamp = path.join(STAMPS, name)
  const missing = () => outputs.filter((output) => !existsSync(output))
  const want = hashOf(inputs)
  if (missing().length === 0 && existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return
  rmSync(stamp, { force: true })
  await timed(name, work)
  if (missing().length > 0) throw new Error(`${name} did not make ${missing().join(', ')}`)
  mkdirSync(STAMPS, { recursive: true })
  writeFileSync(stamp, want)
}
