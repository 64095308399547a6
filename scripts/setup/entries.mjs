import { existsSync, readdirSync } from 'node:fs'

const ENTRIES = ['src/start.ts', 'src/main.ts']

/** The apps that are bundled: name → entry point, relative to the clone's root. A Rust app has none of these files. */
export function bundleEntries(apps = 'apps') {
  const found = {}
  for (const app of readdirSync(apps)) {
    const entry = ENTRIES.map((file) => `${apps}/${app}/${file}`).find((file) => existsSync(file))
    if (entry) found[app] = entry
  }
  return found
}
