import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { cleanEnv } from '../setup/env.mjs'
import { cargoCommand } from '../setup/rust.mjs'
import { cargoResult, checkResult, withExit } from './results.mjs'

const RESULT = '.berth/test/result.json'

let current

/** Passes a signal on to the tier that is running. */
export function stopTier(signal) {
  current?.kill(signal)
}

/**
 * The environment of tests: nothing of npm's, and nothing that points at a Berth, a database or a broker that is in earnest use.
 */
export function testEnv(env) {
  return Object.fromEntries(Object.entries(cleanEnv(env)).filter(([name]) => !/^(BERTH_|DATABASE_URL$|NATS_URL$)/.test(name)))
}

function run(command, args, { env = {}, capture = false } = {}) {
  return new Promise((resolve, reject) => {
    const PATH = `${process.cwd()}/node_modules/.bin:${process.env.PATH}`
    const stdio = ['ignore', capture ? 'pipe' : 'inherit', 'inherit']
    const child = spawn(command, args, { stdio, env: { ...testEnv(process.env), PATH, ...env } })
    current = child
    let output = ''
    child.stdout?.on('data', (chunk) => {
      output += chunk
      process.stdout.write(chunk)
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ ok: code === 0, output }))
  })
}

const check =
  (command, ...args) =>
  async () =>
    checkResult((await run(command, args)).ok)

/** Gives a command a network namespace of its own with only a loopback: its ports, bridges and rules meet nobody else's. */
const ALONE = ['--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'alone']

/** Tests that wait for what others do: with one of the two ways on which word travels cut, the other has to carry it. */
const WAITING = [
  'packages/controller/test/controller',
  'packages/controller/test/operations',
  'packages/events/test/watch',
  'packages/events/test/event-',
]

const vitest =
  (project, prefix = [], { files = [], env = {} } = {}) =>
  async () => {
    mkdirSync('.berth/test', { recursive: true })
    rmSync(RESULT, { force: true })
    const args = ['run', '--project', project, '--reporter', 'default', '--reporter', './scripts/test/reporter.mjs', ...files]
    const [command, ...words] = [...prefix, 'vitest', ...args]
    const { ok } = await run(command, words, { env: { ...env, TEST_RESULT_FILE: RESULT } })
    const counts = existsSync(RESULT) ? JSON.parse(readFileSync(RESULT, 'utf8')) : { passed: 0, failed: 1, skipped: [] }
    return withExit(counts, ok)
  }

async function rust() {
  const { cargo, env } = await cargoCommand()
  const { ok, output } = await run(cargo, ['test', '--locked', '--offline', '--no-fail-fast'], { env, capture: true })
  return withExit(cargoResult(output), ok)
}

/** The tiers in the order they run, cheapest first. Each gives counts and the skipped tests. */
export const TIERS = {
  buf: check('buf', 'lint'),
  types: check('tsc', '-p', '.'),
  lint: check('oxlint', '--type-aware'),
  format: check('biome', 'format'),
  rust,
  unit: vitest('unit'),
  integration: vitest('integration', ['unshare', ...ALONE]),
  'no-events': vitest('integration', ['unshare', ...ALONE], { files: WAITING, env: { BERTH_TEST_NO_EVENTS: '1' } }),
  'no-poll': vitest('integration', ['unshare', ...ALONE], { files: WAITING, env: { BERTH_TEST_NO_POLL: '1' } }),
  system: vitest('system', ['unshare', ...ALONE]),
  vm: vitest('vm', ['unshare', ...ALONE]),
}
