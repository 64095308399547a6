import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { parseMutant, readMutants } from './mutant.ts'

const home = path.resolve(import.meta.dirname, '../..')

it('are at least twenty, each with the test file that must notice it', () => {
  const mutants = readMutants(import.meta.dirname)
  expect(mutants.length).toBeGreaterThanOrEqual(20)
  for (const { name, test } of mutants) expect({ name, there: existsSync(path.join(home, test)) }).toEqual({ name, there: true })
})

it('change sources and no tests', () => {
  for (const { file } of readMutants(import.meta.dirname)) {
    const changed = [...readFileSync(file, 'utf8').matchAll(/^\+\+\+ b\/(.+)$/gm)].map(([, name = '']) => name)
    expect(changed).toHaveLength(1)
    expect(changed[0]).toMatch(/^(apps|packages)\/[^/]+\/(src|migrations)\/(?!.*\.test\.)/)
  }
})

it('say what is missing above the diff, and which name is none', () => {
  expect(() => parseMutant('x.patch', 'Sabotage: a\nProject: unit\n\n--- a/y\nTest: z\n')).toThrow('x.patch lacks Test')
  expect(() => readMutants(import.meta.dirname, ['no-such'])).toThrow('there is no no-such')
})
