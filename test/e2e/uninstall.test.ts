import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')
let folder: string
let env: Record<string, string>

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'berth-uninstall-'))
  env = {
    HOME: folder,
    PATH: process.env['PATH'] ?? '',
    BERTH_DATA_DIR: path.join(folder, 'data'),
    BERTH_RUN_DIR: path.join(folder, 'run'),
  }
  mkdirSync(path.join(folder, 'data/network'), { recursive: true })
  mkdirSync(path.join(folder, 'run/abc'), { recursive: true })
  writeFileSync(path.join(folder, 'data/host.json'), '{}')
})
afterEach(() => rmSync(folder, { recursive: true }))

function writeRecord(...objects: object[]) {
  writeFileSync(path.join(folder, 'data/network/host-record.json'), JSON.stringify({ version: 1, objects }))
}

/** Runs a script in a network namespace of its own; `uninstall` in it is the command under test. */
function inNamespace(script: string): string {
  const body = `set -e\nuninstall() { node ${root}/scripts/uninstall.mjs --force "$@" 2>&1; }\n${script}`
  return execFileSync('unshare', ['--net', 'sh', '-c', body], { env, encoding: 'utf8', cwd: '/' })
}

test('what the record names is removed, and its like that the record does not name stays', () => {
  writeRecord(
    { kind: 'bridge', name: 'br-ours' },
    { kind: 'tap', name: 'btours' },
    { kind: 'table', family: 'inet', table: 'berth_ours' },
    { kind: 'rule', family: 'ip', table: 'filter', chain: 'FORWARD', comment: 'berth' },
    { kind: 'bridge', name: 'br-gone' },
  )
  const output = inNamespace(`
    ip link add br-ours type bridge; ip link add br-other type bridge; ip tuntap add btours mode tap
    ip tuntap add btabcdefghijk mode tap; ip link set btabcdefghijk master br-ours; ip link add stranger type veth peer name stranger2; ip link set stranger master br-ours
    nft 'add table inet berth_ours; add table inet berth_other'
    nft 'add table ip filter; add chain ip filter FORWARD; add rule ip filter FORWARD accept comment "berth"; add rule ip filter FORWARD drop'
    uninstall
    echo ---; ip -br link; nft list ruleset`)
  const [said = '', left = ''] = output.split('---')
  expect(said).toMatch(
    /removed rule ip filter FORWARD berth[\s\S]*removed table inet berth_ours[\s\S]*removed tap btours[\s\S]*removed bridge br-ours/,
  )
  expect(said).not.toContain('br-gone')
  expect(left).not.toContain('btabcdefghijk')
  expect(left).toContain('stranger')
  expect(left).toContain('br-other')
  expect(left).toContain('berth_other')
  expect(left).toContain('drop')
  expect(left).not.toMatch(/ours|comment "berth"/)
})

test('data stays unless asked, and goes when asked', () => {
  inNamespace('uninstall')
  expect(existsSync(path.join(folder, 'data/host.json'))).toBe(true)
  expect(existsSync(path.join(folder, 'run'))).toBe(false)
  inNamespace('uninstall --data --yes')
  expect(existsSync(path.join(folder, 'data'))).toBe(false)
})

test('data is not deleted without a yes, nor a folder that is no data folder', () => {
  const run = () =>
    spawnSync('node', [path.join(root, 'scripts/uninstall.mjs'), '--data'], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  expect(run().stderr).toContain('--yes')
  rmSync(path.join(folder, 'data/host.json'))
  expect(run().stderr).toContain('no data folder of Berth')
  expect(existsSync(path.join(folder, 'data'))).toBe(true)
})
