import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { cleanEnv } from '../setup/env.mjs'
import { cargoTest } from '../setup/rust.mjs'
import { added, cargoResult, checkResult, withExit } from './results.mjs'

const RESULTS = '.berth/test'

const running = new Set()

/** Passes a signal on to the tier that is running. */
export function stopTier(signal) {
  for (const child of running) child.kill(signal)
}

/**
 * The environment of tests: nothing of npm's, and nothing that points at a Berth, a database or a broker that is in earnest use.
 */
export function testEnv(env) {
  return Object.fromEntries(Object.entries(cleanEnv(env)).filter(([name]) => !/^(BERTH_|DATABASE_URL$|NATS_URL$)/.test(name)))
}

function run(command, args, { env = {}, capture = false } = {}) {
  return new Promise((resolve, reject) => {
    const ours = {
      PATH: `${process.cwd()}/node_modules/.bin:${process.env.PATH}`,
      NODE_COMPILE_CACHE: path.resolve('.berth/compile-cache'),
    }
    const stdio = ['ignore', capture ? 'pipe' : 'inherit', 'inherit']
    const child = spawn(command, args, { stdio, env: { ...testEnv(process.env), ...ours, ...env } })
    running.add(child)
    let output = ''
    child.stdout?.on('data', (chunk) => {
      output += chunk
      process.stdout.write(chunk)
    })
    child.on('error', reject)
    child.on('close', (code) => {
      running.delete(child)
      resolve({ ok: code === 0, output })
    })
  })
}

const check =
  (command, ...args) =>
  async () =>
    checkResult((await run(command, args)).ok)

/** Gives a command a network namespace of its own with only a loopback: its ports, bridges and rules meet nobody else's. */
const ALONE = ['--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'alone']

/**
 * Tests that wait for what others do: with one of the two ways on which word travels cut, the other has to carry it. Not among them are those of
 * networks, which wait for looks at the host alone.
 */
const WAITING = [
  ...['controller', 'hold', 'operations'].map((name) => `packages/controller/test/${name}`),
  ...['watch', 'event-'].map((name) => `packages/events/test/${name}`),
  ...['ensure', 'pull', 'faults', 'kill', 'bad-registry', 'two-hosts'].map((name) => `apps/image/test/${name}`),
  ...['volumes', 'disks', 'failures'].map((name) => `apps/volume-provisioner/test/${name}`),
  ...['life', 'crash-points', 'two-hosts'].map((name) => `apps/instance/test/${name}`),
  ...['device/test/devices', 'gateway/test/merged', 'gateway/test/protocols'].map((name) => `apps/${name}`),
]
/** Two hosts without NATS between them have polls alone. */
const CUTS = [
  { cut: 'BERTH_TEST_NO_EVENTS', files: WAITING },
  { cut: 'BERTH_TEST_NO_POLL', files: WAITING.filter((name) => !name.endsWith('two-hosts')) },
]

const vitest =
  (project, prefix = [], { files = [], env = {} } = {}) =>
  async () => {
    mkdirSync(RESULTS, { recursive: true })
    const result = path.join(RESULTS, `${project}-${randomUUID()}.json`)
    const args = ['run', '--project', project, '--reporter', 'default', '--reporter', './scripts/test/reporter.mjs', ...files]
    const [command, ...words] = [...prefix, 'vitest', ...args]
    const { ok } = await run(command, words, { env: { ...env, TEST_RESULT_FILE: path.resolve(result) } })
    const counts = existsSync(result) ? JSON.parse(readFileSync(result, 'utf8')) : { passed: 0, failed: 1, skipped: [] }
    rmSync(result, { force: true })
    return withExit(counts, ok)
  }

/** Seconds that files take alone, about, where it is not some 30. */
const SECONDS = {
  ...{ disks: 50, kills: 100, holds: 90, create: 90, fencing: 80 },
  ...{ 'many.vm': 80, 'deleted.vm': 90, 'line.vm': 40, 'crash-points.vm': 20, 'qemu.vm': 15, 'clean.vm': 15 },
}
/** They measure in seconds what guests notice of a kill, or how soon an end is told: no other VM of ours may take them a core. */
const ALONE_IN_TIME = ['test/faults/adoption.vm.test.ts', 'test/faults/ends.vm.test.ts']

/** Deals files to hands so that all are done at about the same time: the longest first, each to whoever has least to do. */
export function deal(files, count) {
  const seconds = (file) => SECONDS[path.basename(file, '.test.ts')] ?? 30
  const hands = Array.from({ length: count }, () => ({ files: [], seconds: 0 }))
  for (const file of files.toSorted((a, b) => seconds(b) - seconds(a))) {
    const [least] = hands.toSorted((a, b) => a.seconds - b.seconds)
    least.files.push(file)
    least.seconds += seconds(file)
  }
  return hands.map((hand) => hand.files)
}

/**
 * Whole systems, one at a time in each of several namespaces: a test that flushes its host's rules meets no other, and the cores have work while
 * it waits.
 */
async function inNamespaces(project, files, hands) {
  return added(await Promise.all(deal(files, hands).map((hand) => vitest(project, ['unshare', ...ALONE], { files: hand })())))
}

const systems = () => inNamespaces('system', globSync('test/{e2e,faults}/*.test.ts', { exclude: ['**/*.vm.test.ts'] }).toSorted(), 3)

async function vms() {
  const files = globSync('{test,apps}/**/*.vm.test.ts', { exclude: ['**/node_modules/**'] }).toSorted()
  const together = await inNamespaces(
    'vm',
    files.filter((file) => !ALONE_IN_TIME.includes(file)),
    2,
  )
  return added([together, await inNamespaces('vm', ALONE_IN_TIME, 1)])
}

/** What waits, without NATS and without polls, side by side: both do little but wait. */
async function waits() {
  return added(
    await Promise.all(CUTS.map(({ cut, files }) => vitest('integration', ['unshare', ...ALONE], { files, env: { [cut]: '1' } })())),
  )
}

async function rust() {
  const { cargo, args, env } = await cargoTest()
  const { ok, output } = await run(cargo, [...args, '--no-fail-fast'], { env, capture: true })
  return withExit(cargoResult(output), ok)
}

/** Each gives counts and the skipped tests. */
export const TIERS = {
  buf: check('buf', 'lint'),
  types: check('tsc', '-p', '.'),
  lint: check('oxlint', '--type-aware'),
  format: check('biome', 'format'),
  rust,
  unit: vitest('unit'),
  integration: vitest('integration', ['unshare', ...ALONE]),
  waits,
  system: systems,
  vm: vms,
}

/** The order they run in, cheapest first; what leaves a core idle has company. */
export const SIDE_BY_SIDE = [['buf', 'types', 'lint', 'format', 'rust'], ['unit'], ['integration', 'waits'], ['system'], ['vm']]
