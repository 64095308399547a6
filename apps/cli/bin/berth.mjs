#!/usr/bin/env node
// Starts the CLI on the Node that this clone pins: the bundle where set-up made one, the source otherwise.
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import * as nodeModule from 'node:module'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = path.resolve(path.dirname(realpathSync(fileURLToPath(import.meta.url))), '../../..')
const bundle = path.join(root, 'dist/cli.mjs')
const source = path.join(root, 'apps/cli/src/main.ts')
const pinned = path.join(root, 'node_modules/.bin/node')
const entry = existsSync(bundle) ? bundle : source
process.env.BERTH_HOME ||= root
// What Node made of the bundle is kept beside it; where that cannot be written, nothing is.
const cache = path.join(root, 'dist/.cache')

if (!existsSync(pinned)) {
  console.error('berth: this clone is not set up yet; run `npm start` or `npm run setup` first')
  process.exit(1)
}

if (realpathSync(pinned) === realpathSync(process.execPath)) {
  process.argv[1] = entry
  nodeModule.enableCompileCache(cache)
  await import(pathToFileURL(entry).href)
} else {
  const child = spawn(pinned, [entry, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  })
  // Ctrl-C reaches the child from the terminal; passed on as well it would count as a second one.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`berth: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
