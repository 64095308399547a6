import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** One sabotage and who must notice it. */
export interface Mutant {
  /** Name of its file without `.patch`. */
  readonly name: string
  readonly file: string
  /** What it breaks, for people. */
  readonly sabotage: string
  readonly project: string
  /** The test file that must turn red, from the root of the tree. */
  readonly test: string
  /** Part of the titles of the tests that must turn red; no pattern. */
  readonly title: string
}

/** Reads `Sabotage`, `Project`, `Test` and `Title` above the diff. @throws Error naming what is missing */
export function parseMutant(file: string, text: string): Mutant {
  const head = text.slice(0, text.search(/^--- /m))
  const field = (name: string): string => {
    const value = new RegExp(`^${name}: (.+)$`, 'm').exec(head)?.[1]
    if (!value) throw new Error(`${file} lacks ${name}`)
    return value
  }
  const name = path.basename(file, '.patch')
  return { name, file, sabotage: field('Sabotage'), project: field('Project'), test: field('Test'), title: field('Title') }
}

/** All sabotages of a folder by name, or those named. @throws Error naming one that is not there */
export function readMutants(folder: string, names: readonly string[] = []): Mutant[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.patch'))
  const all = files.toSorted().map((name) => parseMutant(path.join(folder, name), readFileSync(path.join(folder, name), 'utf8')))
  const unknown = names.filter((name) => !all.some((mutant) => mutant.name === name))
  if (unknown.length > 0) throw new Error(`there is no ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(' ')}`)
  return names.length > 0 ? all.filter(({ name }) => names.includes(name)) : all
}
