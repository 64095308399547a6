import { parseArgs } from 'node:util'

export const USAGE = `usage: npm run uninstall [-- --data] [--yes] [--force]

Ends all VMs and services, then removes what Berth put on this host: processes, bridges, taps, firewall tables and rules, cgroups, run folder.
  --data   also delete the data folder with all images, volumes and the database
  --yes    do not ask
  --force  go on when \`berth down --all\` fails`

/** The options of the command. @throws when one is unknown */
export function parseOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: 'boolean', default: false },
      yes: { type: 'boolean', short: 'y', default: false },
      force: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  return values
}

/**
 * The folders to look at. A folder that stands at the top of the machine is refused: it cannot be Berth's alone.
 *
 * @throws when a setting names such a folder
 */
export function foldersOf(env) {
  const folders = { data: env.BERTH_DATA_DIR || '/var/lib/berth', run: env.BERTH_RUN_DIR || '/run/berth' }
  for (const [name, folder] of Object.entries(folders)) {
    if (!/^(\/[^/]+){2,}$/.test(folder) || folder.includes('/..'))
      throw new Error(`the ${name} folder ${folder} is not one that Berth may delete`)
  }
  return folders
}
