import { expect, test } from 'vitest'
import { CommandFailed, exec, stopCommands } from './exec.mjs'

test('a command gives back what it wrote to stdout', async () => {
  expect(await exec('cat', [], { input: 'hello' })).toBe('hello')
})

test('a failing command is named together with what it said', async () => {
  const failure = await exec('sh', ['-c', 'echo why >&2; exit 3']).catch((error) => error)
  expect(failure).toBeInstanceOf(CommandFailed)
  expect(failure.message).toMatch(/exit code 3\nwhy$/)
})

test('a command that does not exist is a failure, not a crash', async () => {
  await expect(exec('berth-no-such-command', [])).rejects.toThrow(CommandFailed)
})

test('stopping ends a command with its children, even one that does not listen', async () => {
  const command = exec('sh', ['-c', 'trap "" TERM; sleep 60 & echo started; wait; sleep 60'], { graceMs: 100 }).catch((error) => error)
  await stopCommands()
  expect((await command).message).toMatch(/ended by SIG(TERM|KILL)/)
})
