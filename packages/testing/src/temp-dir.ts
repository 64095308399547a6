import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A new folder that every user can pass. Remove it yourself, or use `tempDir`. */
export function makeTempDir(label: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), `berth-${label}-`))
  chmodSync(folder, 0o755)
  return folder
}

/** A folder that is removed at the end of its scope: `using data = tempDir('data')`. */
export function tempDir(label = 'test'): { path: string; [Symbol.dispose](): void } {
  const folder = makeTempDir(label)
  return { path: folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}
