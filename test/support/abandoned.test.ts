import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { tempDir } from '@berth/testing'
import { expect, it } from 'vitest'
import { own, sweepAbandoned } from './abandoned.ts'

const started: ChildProcess[] = []

/** A folder as a test makes it, with a process that works below it. */
function work(parent: string, name: string): { folder: string; child: ChildProcess } {
  const folder = path.join(parent, name)
  mkdirSync(folder)
  const child = spawn('sleep', ['60'], { stdio: 'ignore', env: { BERTH_DATA_DIR: path.join(folder, 'data') } })
  started.push(child)
  return { folder, child }
}

it('ends what a killed run has left, processes and folder, and nothing of a run that lives, nor who only looks on', async () => {
  using parent = tempDir('sweep')
  const dead = work(parent.path, 'berth-test-dead')
  const alive = work(parent.path, 'berth-test-alive')
  const nobodys = work(parent.path, 'berth-test-nobodys')
  own(alive.folder)
  // The pid is ours, the start is not: the owner has ended, and its pid has been given out again.
  writeFileSync(path.join(dead.folder, 'owner.json'), JSON.stringify({ pid: process.pid, startTicks: 1 }))
  const onlooker = spawn('sleep', ['60'], { stdio: 'ignore', env: { PWD: path.join(dead.folder, 'data') } })
  const dnsmasq = spawn('sleep', ['60'], { argv0: path.join(dead.folder, 'dnsmasq'), stdio: 'ignore', env: {} })
  started.push(onlooker, dnsmasq)
  const ended = Promise.all([dead.child, dnsmasq].map((child) => once(child, 'exit')))
  try {
    sweepAbandoned(parent.path)
    await ended
    expect([dead, alive, nobodys].map(({ folder }) => existsSync(folder))).toEqual([false, true, true])
    expect([alive.child, nobodys.child, onlooker].map((child) => child.exitCode ?? child.signalCode)).toEqual([null, null, null])
  } finally {
    for (const child of started) child.kill('SIGKILL')
  }
})
