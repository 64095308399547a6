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
  await measure(options, stop.signal)
  return 0
}

async function measure({ pairs, parts, json }: BenchOptions, signal: AbortSignal): Promise<void> {
  const loadBefore = loadavg()[0] ?? 0
  const rows: Row[] = []
  const memory: MemoryRow[] = []
  const ctx = { pairs, say, signal }
  if (parts.includes('create')) rows.push(...(await benchCreate(ctx)))
  if (parts.includes('recorder')) rows.push(...(await benchRecorder(ctx)))
  if (parts.includes('exec')) rows.push(...(await benchExec(ctx)))
  if (parts.includes('memory')) memory.push(...(await benchMemory(ctx)))
  const machine: Machine = { cpus: availableParallelism(), kernel: release(), loadBefore, loadAfter: loadNow() }
  if (json) process.stdout.write(`${JSON.stringify({ machine, rows, memory })}\n`)
  else
    process.stdout.write(
      `${[renderMachine(machine), rows.length && renderRows(rows), memory.length && renderMemory(memory)].filter(Boolean).join('\n\n')}\n`,
    )
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
