// Runs every tier of tests, or those that are named: `npm test -- unit vm`. Ends with the sum alone on the last line.
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { summary } from './test/results.mjs'
import { SIDE_BY_SIDE, stopTier, TIERS } from './test/tiers.mjs'

process.chdir(path.dirname(path.dirname(fileURLToPath(import.meta.url))))

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in TIERS))
if (unknown.length > 0) {
  console.error(`there is no tier ${unknown.join(', ')}; tiers: ${Object.keys(TIERS).join(' ')}`)
  process.exit(2)
}

let stopped = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stopped = true
    stopTier(signal)
  })
}

async function runTier(name) {
  const start = performance.now()
  const result = await TIERS[name]()
  return { name, result, seconds: (performance.now() - start) / 1000 }
}

const tiers = []
for (const group of SIDE_BY_SIDE) {
  const names = group.filter((name) => wanted.length === 0 || wanted.includes(name))
  if (stopped || names.length === 0) continue
  console.log(`\n── ${names.join(', ')}`)
  tiers.push(...(await Promise.all(names.map(runTier))))
}

console.log(`\n${summary(tiers).join('\n')}`)
process.exitCode = stopped || tiers.some(({ result }) => result.failed > 0) ? 1 : 0
