import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { processIdentity } from '../process/identity.ts'

// A service is one bundled file; the helper must start from it, and must not outlive it.
const bundles = { plain: {}, minified: { minify: true }, named: { keepNames: true } }
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'berth-bundle-'))
  const index = JSON.stringify(path.join(import.meta.dirname, '../index.ts'))
  const entry = path.join(folder, 'entry.ts')
  writeFileSync(
    entry,
    `import { createRunner } from ${index}
    const runner = createRunner({ logger: { debug() {}, warn() {} } })
    const { stdout } = await runner.run(['echo', 'from the bundle'], { timeoutMs: 5000 })
    if (process.argv[2] === 'hang') void runner.run(['sh', '-c', 'sleep 1000; true'], { timeoutMs: 60000 })
    console.log(JSON.stringify({ stdout, helper: runner.helperPid }))`,
  )
  for (const [name, options] of Object.entries(bundles)) {
    const outfile = path.join(folder, `${name}.mjs`)
    await build({
      entryPoints: [entry],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      ...options,
    })
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const start = (name: string, ...args: string[]): ChildProcess =>
  spawn(process.execPath, [path.join(folder, `${name}.mjs`), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })

async function firstLine(child: ChildProcess): Promise<{ stdout: string; helper: number }> {
  const [chunk] = (await once(child.stdout ?? child, 'data')) as [Buffer]
  return JSON.parse(chunk.toString()) as { stdout: string; helper: number }
}

for (const name of Object.keys(bundles)) {
  it(`runs commands from a ${name} bundle, and an idle helper does not keep it up`, async () => {
    const child = start(name)
    const [line, [code]] = await Promise.all([firstLine(child), once(child, 'exit')])
    expect(line.stdout).toBe('from the bundle\n')
    expect(code).toBe(0)
    await vi.waitFor(() => expect(processIdentity(line.helper)).toBeUndefined(), { timeout: 5_000 })
  })
}

it('ends helper and running commands when the service is killed', async () => {
  const child = start('minified', 'hang')
  const { helper } = await firstLine(child)
  const command = await vi.waitFor(() => childOf(helper), { timeout: 5_000 })
  child.kill('SIGKILL')
  for (const pid of [helper, command]) await vi.waitFor(() => expect(processIdentity(pid)).toBeUndefined(), { timeout: 5_000 })
})

function childOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return Number(children) || expect.fail('not running yet')
}
