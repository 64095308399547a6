import { expect, it } from 'vitest'
import { fakeRunner } from './fake.ts'

const options = { timeoutMs: 1_000 }

it('answers from its script and says what was not asked for', async () => {
  const runner = fakeRunner([{ argv: ['ip', 'link'], stdout: 'lo' }, { argv: /^nft list/, stdout: '{}', always: true }, { argv: ['sync'] }])
  expect((await runner.run(['ip', 'link'], options)).stdout).toBe('lo')
  expect((await runner.run(['nft', 'list', 'ruleset'], options)).stdout).toBe('{}')
  expect(runner.left).toEqual(['sync'])
  expect(runner.calls).toEqual(['ip link', 'nft list ruleset'])
})

it('fails on a command that the script does not expect, or not as often', async () => {
  const runner = fakeRunner([{ argv: ['true'] }])
  await runner.run(['true'], options)
  await expect(runner.run(['true'], options)).rejects.toThrow('unexpected command: true')
})

it('fails like the real one where the script says so', async () => {
  const runner = fakeRunner([{ argv: ['ip', 'x'], code: 2, stderr: 'what?' }])
  await expect(runner.run(['ip', 'x'], options)).rejects.toMatchObject({
    name: 'BerthError',
    failure: 'exit',
    exitCode: 2,
    stderr: 'what?',
  })
})
