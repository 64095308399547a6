import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { armFailpoints, failpointNames } from './failpoints.ts'
import { defineSteps } from './steps.ts'

const step = defineSteps('thing.make', ['disk', 'boot'])
const live = new AbortController().signal
let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'berth-steps-'))
  file = path.join(folder, 'points')
  armFailpoints({ file, service: 'thing' })
})
afterEach(() => {
  armFailpoints({ file: undefined, service: 'thing' })
  rmSync(folder, { recursive: true })
})

it('names every point before anything has run', () => {
  const names = ['thing.make.boot.after', 'thing.make.boot.before', 'thing.make.disk.after', 'thing.make.disk.before']
  expect(failpointNames()).toEqual(names)
  expect(readFileSync(`${file}.names.thing`, 'utf8').trim().split('\n')).toEqual(names)
})

it('fails before or after the work, as often as the file says', async () => {
  let done = 0
  const run = () => step('disk', live, async () => (done += 1))
  writeFileSync(file, 'thing.make.disk.before=error *1\n')
  await expect(run()).rejects.toMatchObject({ code: 'INTERNAL', reason: 'FAILPOINT', metadata: { failpoint: 'thing.make.disk.before' } })
  expect(done).toBe(0)
  expect(await run()).toBe(1)
  writeFileSync(file, 'thing.make.disk.after=error')
  await expect(run()).rejects.toMatchObject({ reason: 'FAILPOINT' })
  expect(done).toBe(2)
})

it('counts over restarts of the process how often it has acted', async () => {
  writeFileSync(file, 'thing.make.disk.before=error *1\n')
  await expect(step('disk', live, async () => {})).rejects.toThrow('failpoint')
  armFailpoints({ file, service: 'thing' })
  await step('disk', live, async () => {})
  rmSync(`${file}.hits`)
  await expect(step('disk', live, async () => {})).rejects.toThrow('failpoint')
})

it('stalls until the line is gone, or the signal aborts with its reason', async () => {
  writeFileSync(file, 'thing.make.boot.before=stall\n')
  const ended: string[] = []
  const going = step('boot', live, async () => {}).then(() => ended.push('ran'))
  const stopper = new AbortController()
  const stopped = step('boot', stopper.signal, async () => {})
  stopper.abort(new Error('cancelled'))
  await expect(stopped).rejects.toThrow('cancelled')
  expect(ended).toEqual([])
  writeFileSync(file, '')
  await going
  expect(ended).toEqual(['ran'])
})

it('does not begin, and does not count, once the signal has aborted', async () => {
  const stopper = new AbortController()
  const during = step('boot', stopper.signal, async () => stopper.abort(new Error('meanwhile')))
  await expect(during).rejects.toThrow('meanwhile')
  let began = false
  await expect(step('boot', stopper.signal, async () => void (began = true))).rejects.toThrow('meanwhile')
  expect(began).toBe(false)
})
