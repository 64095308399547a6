// Brings a fresh clone on a fresh machine to the point where everything runs; on a ready one it looks, in well under a second, and returns.
// Plain JavaScript for whatever Node the machine has. Usage: setup.mjs start|test|bench|setup [step …]
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { watchAncestors } from './setup/ancestors.mjs'
import { installPackages } from './setup/debian.mjs'
import { stopCommands } from './setup/exec.mjs'
import { bundle, describeProtos, generate } from './setup/generate.mjs'
import { buildGuest, fetchKernel } from './setup/guest.mjs'
import { say } from './setup/log.mjs'
import { installNodeModules } from './setup/npm.mjs'
import { measure, problems } from './setup/preflight.mjs'
import { buildRust, fetchCrates, rustPackages } from './setup/rust.mjs'
import { HOST_PACKAGES, TEST_PACKAGES, unpackTools } from './setup/tools.mjs'

process.chdir(path.dirname(path.dirname(fileURLToPath(import.meta.url))))

const [mode = 'setup', ...only] = process.argv.slice(2)
const started = performance.now()

const usesDataFolder = mode === 'start' || mode === 'bench'
const missing = problems(measure(usesDataFolder ? process.env.BERTH_DATA_DIR || '/var/lib/berth' : undefined))
if (missing.length > 0) {
  console.error(`Berth cannot run here:\n${missing.map((problem) => `  - ${problem}`).join('\n')}`)
  process.exit(1)
}

let stopping = false

async function stop(text, code) {
  if (stopping) return
  stopping = true
  say(text)
  await stopCommands()
  process.exit(code)
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])
  process.on(signal, () => stop(`stopped by ${signal}`, code))

// Under npm these are flock, the script's shell and npm itself.
watchAncestors(process.env.npm_lifecycle_event ? 3 : 1, () => stop('the command that started set-up is gone', 1))

/** Steps by name: what each waits for, and what it does. Those that wait for nothing run side by side. */
const STEPS = {
  npm: { after: [], run: installNodeModules },
  debian: {
    after: [],
    run: async () => installPackages([...HOST_PACKAGES, ...(mode === 'start' ? [] : TEST_PACKAGES), ...(await rustPackages())]),
  },
  tools: { after: [], run: unpackTools },
  crates: { after: ['debian'], run: fetchCrates },
  descriptors: { after: ['npm'], run: describeProtos },
  generate: { after: ['npm'], run: generate },
  bundle: { after: ['generate'], run: bundle },
  rust: { after: ['descriptors', 'crates'], run: buildRust },
  kernel: { after: ['debian'], run: fetchKernel },
  guest: { after: ['rust', 'kernel'], run: buildGuest },
}

const promises = {}
function ensure(name) {
  const step = STEPS[name]
  if (!step) throw new Error(`there is no step ${name}; steps: ${Object.keys(STEPS).join(' ')}`)
  promises[name] ??= Promise.all(step.after.map(ensure)).then(step.run)
  return promises[name]
}

try {
  mkdirSync('.berth', { recursive: true })
  await Promise.all((only.length > 0 ? only : Object.keys(STEPS)).map(ensure))
  say(`ready in ${((performance.now() - started) / 1000).toFixed(1)} s`)
} catch (error) {
  await stop(error.message, 1)
}
