import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

const running = new Set<string>()
const shortLine = 400

/** From here on a test that fails is told with what the system on this data folder said. Call the answer when it has ended. */
export function showLogsOf(dataDir: string): () => void {
  running.add(dataDir)
  return () => void running.delete(dataDir)
}

/** What the systems that run said last that was more than information, for the message of a failed test. */
export function troubles(lines = 12): string {
  return [...running].map((dataDir) => logTails(dataDir, lines, (line) => !/"level":"?(10|20|30|trace|debug|info)\b/.test(line))).join('\n')
}

/** The last lines of every log of a system. */
export function logTails(dataDir: string, lines = 15, wanted = (_line: string): boolean => true): string {
  const folder = path.join(dataDir, 'logs')
  if (!existsSync(folder)) return ''
  return readdirSync(folder)
    .map((name) => [name, readFileSync(path.join(folder, name), 'utf8').split('\n').filter(Boolean).filter(wanted).slice(-lines)] as const)
    .filter(([, told]) => told.length > 0)
    .map(([name, told]) => [`── ${name}`, ...told.map((line) => line.slice(0, shortLine))].join('\n'))
    .join('\n')
}
