import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { bootId } from './boot-id.ts'
import { isAlive, processIdentity } from './identity.ts'
import { endProcess, killGroup, killProcess } from './kill.ts'

function recorded(stat: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'berth-proc-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(path.join(folder, '7'))
  writeFileSync(path.join(folder, '7/stat'), stat)
  return folder
}
const rest = `1 7 7 0 -1 4194560 ${'0 '.repeat(12)}4711 0 0`

it('knows a process by pid and start time, whatever its name', () => {
  const folder = recorded(`7 (evil) Z (name) S ${rest}`)
  expect(processIdentity(7, folder)).toEqual({ pid: 7, startTicks: 4711 })
  expect(isAlive({ pid: 7, startTicks: 4712 }, folder)).toBe(false)
})

it('calls a zombie dead', () => {
  const folder = recorded(`7 (sleep) Z ${rest}`)
  expect(processIdentity(7, folder)).toBeUndefined()
  expect(processIdentity(8, folder)).toBeUndefined()
})

it('signals exactly the process that was meant', async () => {
  const child = spawn('sleep', ['1000'], { detached: true })
  const identity = processIdentity(child.pid ?? 0)
  if (!identity) throw new Error('not started')
  const other = { ...identity, startTicks: identity.startTicks + 1 }
  expect(killProcess(other, 'SIGKILL')).toBe(false)
  expect(killGroup(other)).toBe(false)
  expect(isAlive(identity)).toBe(true)
  expect(killGroup(identity)).toBe(true)
  await once(child, 'exit')
  expect(killProcess(identity, 'SIGKILL')).toBe(false)
})

it('asks first, then makes a process end', async () => {
  const polite = spawn('sleep', ['1000'])
  const stubborn = spawn('sh', ['-c', 'trap "" TERM; echo up; while :; do sleep 1000; done'], { detached: true })
  await once(stubborn.stdout, 'data')
  for (const [child, graceMs] of [
    [polite, 5_000],
    [stubborn, 50],
  ] as const) {
    const identity = processIdentity(child.pid ?? 0)
    if (!identity) throw new Error('not started')
    expect(await endProcess(identity, { graceMs })).toBe(true)
  }
  if (stubborn.pid) process.kill(-stubborn.pid, 'SIGKILL')
})

it('names the present boot, or the one a test stands for', () => {
  expect(bootId()).toMatch(/^[0-9a-f-]{36}$/)
  vi.stubEnv('BERTH_TEST_BOOT_ID', 'after-reboot')
  expect(bootId()).toBe('after-reboot')
  vi.unstubAllEnvs()
})
