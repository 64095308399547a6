import { availableParallelism, freemem } from 'node:os'
import { startRegistry } from '@berth/testing/registry'
import { inOwnNamespace } from '../bench/namespace.ts'
import { busyboxImage, publish } from '../support/images.ts'
import { logTails } from '../support/logs.ts'
import { startTestSystem } from '../support/system.ts'
import { make } from './places.ts'
import { parseOptions, type SoakOptions, USAGE } from './options.ts'
import { rounds } from './plan.ts'
import { runRound, type Soak } from './round.ts'
import { cleanAudit, noOpenOperations } from './quiesce.ts'

const MOST_GUESTS = 8
const GUEST_BYTES = 512 * 2 ** 20
const PORT_OFFSET = 16_000

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv)
  if (options.help) {
    process.stdout.write(USAGE)
    return 0
  }
  // Who runs it again shall run the same seed.
  const seeded = argv.includes('--seed') ? argv : [...argv, '--seed', String(options.seed)]
  const code = inOwnNamespace([import.meta.filename, ...seeded])
  if (code !== undefined) return code
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)))
  return soak(options, stop.signal)
}

async function soak({ minutes, seed, guests: wanted }: SoakOptions, signal: AbortSignal): Promise<number> {
  const start = performance.now()
  const say = (text: string) => process.stdout.write(`${((performance.now() - start) / 1000).toFixed(1).padStart(7)} s  ${text}\n`)
  const places = wanted ?? Math.max(2, Math.min(MOST_GUESTS, 2 * availableParallelism(), Math.floor(freemem() / GUEST_BYTES)))
  say(`seed ${seed}, ${minutes} minutes, ${places} guests`)
  await using registry = await startRegistry()
  await using system = await startTestSystem({ portOffset: PORT_OFFSET, env: { BERTH_INSECURE_REGISTRIES: registry.host } })
  const image = await publish(registry, 'soak', busyboxImage().image)
  const counts = { rounds: 0, shots: 0, creates: 0, deletes: 0, execs: 0, cut: 0 }
  const run: Soak = { system, image, say, counts, guests: [], faults: [] }
  try {
    run.guests.push(...(await Promise.all(Array.from({ length: places }, (_, place) => make(system.api, `soak-${place}-0`, image)))))
    say('all guests run')
    const end = start + minutes * 60_000
    for (const round of rounds(seed, places)) {
      if (signal.aborted || performance.now() > end || run.faults.length > 0) break
      await runRound(run, round, signal)
    }
  } catch (error) {
    run.faults.push(String(error))
  }
  if (run.faults.length > 0) process.stdout.write(`${logTails(system.dataDir, 40)}\n`)
  else await leave(run).catch((error: unknown) => run.faults.push(`leaving: ${String(error)}`))
  say(
    `${Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ')}`,
  )
  for (const fault of run.faults) say(`FAULT ${fault}`)
  say(run.faults.length > 0 ? `FAILED; npm run soak -- --seed ${seed} decides the same again` : 'everything held')
  return run.faults.length > 0 ? 1 : 0
}

/** Deletes everything: what is left then is left by the product. */
async function leave({ system, guests }: Soak): Promise<void> {
  await Promise.all(guests.map(({ id }) => system.api.instances.deleteInstance({ id })))
  await noOpenOperations(system.api)
  await cleanAudit(system.api, 1)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
// A round that broke off may have left callers that try for ever.
process.exit()
