import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')
let closed: string

beforeEach(() => {
  closed = mkdtempSync(path.join(tmpdir(), 'berth-refusal-'))
})
afterEach(() => rmSync(closed, { recursive: true }))

test('an unfit machine is refused within a second, with everything that is missing at once and nothing installed', () => {
  const started = performance.now()
  const script = `mount -t tmpfs none /dev/net && exec node ${root}/scripts/setup.mjs start`
  const { status, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script], {
    env: { PATH: process.env['PATH'], BERTH_DATA_DIR: path.join(closed, 'data') },
    encoding: 'utf8',
  })
  expect(status).toBe(1)
  expect(performance.now() - started).toBeLessThan(1000)
  expect(stderr).toMatch(/no \/dev\/net\/tun: run `modprobe tun`/)
  expect(stderr).toContain(`cannot pass through ${closed}`)
  expect(stderr.trim().split('\n')).toHaveLength(3)
})
