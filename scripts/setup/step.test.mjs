import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hashOf } from './step.mjs'

let folder

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'berth-step-'))
  writeFileSync(path.join(folder, 'a.ts'), 'a')
})
afterEach(() => rmSync(folder, { recursive: true }))

test('a changed, added or renamed file changes the hash', () => {
  const hashes = [hashOf([folder])]
  writeFileSync(path.join(folder, 'a.ts'), 'b')
  hashes.push(hashOf([folder]))
  writeFileSync(path.join(folder, 'c.ts'), '')
  hashes.push(hashOf([folder]))
  expect(new Set(hashes).size).toBe(3)
})

test('tests, node_modules and generated folders do not count', () => {
  const before = hashOf([folder])
  writeFileSync(path.join(folder, 'a.test.ts'), 'x')
  for (const name of ['node_modules', 'gen', 'dist', 'target']) {
    mkdirSync(path.join(folder, name))
    writeFileSync(path.join(folder, name, 'x.ts'), 'x')
  }
  expect(hashOf([folder])).toBe(before)
})

test('an input that does not exist is no error', () => {
  expect(hashOf([path.join(folder, 'gone')])).toMatch(/^[0-9a-f]{64}$/)
})
