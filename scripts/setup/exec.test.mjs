import { expect, test } from 'vitest'
import { CommandFailed, exec } from './exec.mjs'

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
