import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { closedFolders, problems } from './preflight.mjs'

const good = { platform: 'linux', arch: 'x64', uid: 0, tun: true, closed: [], dataDir: '/var/lib/berth' }
let folder

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'berth-preflight-'))
  chmodSync(folder, 0o755)
})
afterEach(() => rmSync(folder, { recursive: true }))

test('a fit machine has no problems', () => {
  expect(problems(good)).toEqual([])
})

test('everything that is missing is listed at once, with what to do', () => {
  const found = problems({ platform: 'darwin', arch: 'arm64', uid: 501, tun: false, closed: ['/root'], dataDir: '/root/berth' })
  expect(found).toHaveLength(4)
  expect(found.join('\n')).toMatch(/x86-64[\s\S]*sudo[\s\S]*modprobe tun[\s\S]*chmod o\+x \/root/)
})

test('a parent that other users cannot pass is found, also when the data folder does not exist yet', () => {
  const closed = path.join(folder, 'closed')
  mkdirSync(closed, { mode: 0o700 })
  expect(closedFolders(path.join(closed, 'berth/data'))).toEqual([closed])
})

test('a folder that others may pass but not read is good enough', () => {
  const open = path.join(folder, 'open')
  mkdirSync(open)
  chmodSync(open, 0o711)
  expect(closedFolders(open)).toEqual([])
})
