import { readFileSync } from 'node:fs'
import { availableParallelism, loadavg, release } from 'node:os'
import { benchCreate } from './create.ts'
import { benchExec } from './exec.ts'
import { benchMemory } from './memory.ts'
import { inOwnNamespace } from './namespace.ts'
import { type BenchOptions, parseOptions, USAGE } from './options.ts'
import { benchRecorder } from './recorder.ts'
import { type Machine, type MemoryRow, renderMachine, renderMemory, renderRows, type Row } from './report.ts'

const say = (text: string) => process.stderr.write(`${text}\n`)

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv)
  if (options.help) {
    process.stdout.write(USAGE)
    return 0
  }
  const code = inOwnNamespace([import.meta.filename, ...argv])
  if (code !== undefined) return code
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)))
  return measure(options, stop.signal)
}

/** @returns the exit code: 1 when a part could not be measured; the others are shown all the same */
async function measure({ pairs, parts, json }: BenchOptions, signal: AbortSignal): Promise<number> {
  const loadBefore = loadavg()[0] ?? 0
  const ctx = { pairs, say, signal }
  const measured = { create: benchCreate, recorder: benchRecorder, exec: benchExec }
  const rows: Row[] = []
  const memory: MemoryRow[] = []
  let failed = 0
  for (const part of parts) {
    try {
      if (part === 'memory') memory.push(...(await benchMemory(ctx)))
      else rows.push(...(await measured[part](ctx)))
    } catch (error) {
      signal.throwIfAborted()
      say(`bench: ${part} could not be measured: ${error instanceof Error ? error.message : String(error)}`)
      failed = 1
    }
  }
  const machine: Machine = { cpus: availableParallelism(), kernel: release(), loadBefore, loadAfter: loadNow() }
  const tables = [renderMachine(machine), rows.length > 0 && renderRows(rows), memory.length > 0 && renderMemory(memory)]
  process.stdout.write(json ? `${JSON.stringify({ machine, rows, memory })}\n` : `${tables.filter(Boolean).join('\n\n')}\n`)
  return failed
}

function loadNow(): number {
  return Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0])
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  say(`bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
