// Takes back what Berth put on this host; the data folder last, and only when asked. Plain JavaScript: it also runs when nothing else is left.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath } from 'node:url'
import { exec } from './setup/exec.mjs'
import { foldersOf, parseOptions, USAGE } from './uninstall/options.mjs'
import { readRecords } from './uninstall/record.mjs'
import { removeObjects } from './uninstall/remove.mjs'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const say = (text) => console.error(`uninstall: ${text}`)

async function confirmed(folder) {
  if (!process.stdin.isTTY) throw new Error(`deleting ${folder} needs --yes where nobody can be asked`)
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await prompt.question(`Delete ${folder} with all images, volumes and the database? Type yes: `)
  prompt.close()
  return answer.trim() === 'yes'
}

async function endEverything(folders, force) {
  if (!existsSync(folders.data) && !existsSync(folders.run)) return
  try {
    await exec(process.execPath, [path.join(root, 'apps/cli/bin/berth.mjs'), 'down', '--all'])
    say('ended all VMs and services')
  } catch (error) {
    if (!force) throw new Error(`${error.message}\nnothing was removed; --force goes on all the same`)
    say(`berth down --all failed, going on: ${error.message}`)
  }
}

function tellOfPackages() {
  const list = path.join(root, '.berth/installed-packages')
  if (!existsSync(list)) return
  const names = [...new Set(readFileSync(list, 'utf8').split('\n').filter(Boolean))]
  if (names.length > 0) say(`Debian packages that set-up installed stay, others may use them by now: apt-get remove ${names.join(' ')}`)
}

async function uninstall() {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) return console.log(USAGE)
  if (process.getuid() !== 0) throw new Error('not root: run the same command with sudo')
  const folders = foldersOf(process.env)
  const deleteData = options.data && existsSync(folders.data)
  if (deleteData && !existsSync(path.join(folders.data, 'host.json')))
    throw new Error(`${folders.data} has no host.json: it is no data folder of Berth`)
  if (deleteData && !options.yes && !(await confirmed(folders.data))) return say('nothing was removed')

  await endEverything(folders, options.force)
  for (const line of await removeObjects(readRecords(folders.data))) say(`removed ${line}`)
  if (existsSync(folders.run)) {
    rmSync(folders.run, { recursive: true, force: true })
    say(`removed ${folders.run}`)
  }
  tellOfPackages()
  if (deleteData) {
    rmSync(folders.data, { recursive: true, force: true })
    say(`deleted ${folders.data}`)
  } else if (existsSync(folders.data)) {
    say(`${folders.data} stays; --data deletes it`)
  }
}

try {
  await uninstall()
} catch (error) {
  say(error.message)
  process.exitCode = 1
}
