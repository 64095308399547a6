import { appendFileSync, mkdirSync } from 'node:fs'
import path from 'node:path'

/** Log lines of the supervisor go to a file of their own: the terminal shows progress. */
export function destination(file: string): { write(line: string): void } {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 })
  return {
    write(line) {
      try {
        appendFileSync(file, line, { mode: 0o640 })
      } catch {
        // A full disk costs lines, not the supervisor.
      }
    },
  }
}
