import { expect, test } from 'vitest'
import { outcomeOf, vmmFailed } from './outcome.ts'

const end = { reason: 'VMM_EXITED', message: 'qemu: could not load kernel\n', console: 'nothing yet' }

test('a start whose VM ended says what the VMM and the guest’s console said last', () => {
  const outcome = outcomeOf('instance.start', { at: 'ended', failed: true, ...end })
  expect(outcome).toMatchObject({
    state: 'FAILED',
    error: { reason: 'VMM_FAILED', metadata: { exit: 'VMM_EXITED', console: 'nothing yet' } },
  })
  expect(outcome.state === 'FAILED' && outcome.error.message).toBe(
    'the VM ended before its agent answered: VMM_EXITED; the VMM said: qemu: could not load kernel',
  )
  expect(vmmFailed({ ...end, message: '' }).message).toBe('the VM ended before its agent answered: VMM_EXITED')
})

test('what was asked for is done, overtaken or failed by where the instance came to rest', () => {
  const states = (kind: string) => [
    outcomeOf(kind, { at: 'running' }).state,
    outcomeOf(kind, { at: 'stopped' }).state,
    outcomeOf(kind, { at: 'ended', failed: true, ...end }).state,
    outcomeOf(kind, { at: 'ended', failed: false, ...end }).state,
  ]
  expect(states('instance.create')).toEqual(['DONE', 'DONE', 'FAILED', 'DONE'])
  expect(states('instance.start')).toEqual(['DONE', 'CANCELLED', 'FAILED', 'DONE'])
  expect(states('instance.restart')).toEqual(['DONE', 'CANCELLED', 'FAILED', 'DONE'])
  expect(states('instance.stop')).toEqual(['CANCELLED', 'DONE', 'DONE', 'DONE'])
})
