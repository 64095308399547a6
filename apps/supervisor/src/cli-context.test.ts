import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { writeCliContext } from './cli-context.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'berth-context-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const context = { endpoint: 'http://127.0.0.1:7000', tokenFile: '/data/admin.key' }

it('the first start makes the context and uses it, in a file only its owner reads', () => {
  const file = path.join(folder, 'new/config.json')
  writeCliContext(file, context)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ current: 'local', contexts: { local: context } })
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

it('contexts of others, and the choice among them, stay', () => {
  const file = path.join(folder, 'config.json')
  writeFileSync(file, JSON.stringify({ current: 'prod', contexts: { prod: { endpoint: 'http://prod:7000' } } }))
  writeCliContext(file, context)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
    current: 'prod',
    contexts: { prod: { endpoint: 'http://prod:7000' }, local: context },
  })
})

it('a file that is not JSON is left alone and said', () => {
  const file = path.join(folder, 'config.json')
  writeFileSync(file, 'not json')
  expect(() => writeCliContext(file, context)).toThrow('cannot be read')
  expect(readFileSync(file, 'utf8')).toBe('not json')
})
