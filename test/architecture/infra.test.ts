import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { parseOptions } from '../../apps/supervisor/src/options.ts'

const unit = readFileSync(path.resolve(import.meta.dirname, '../../infra/systemd/berth.service'), 'utf8')
const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1]

it('a stop of the systemd unit reaches the supervisor alone: VMs and their shims are not killed with it', () => {
  expect(setting('KillMode')).toBe('process')
})

it('the unit starts what set-up builds, with options that the supervisor knows', () => {
  const [node, entry, ...options] = (setting('ExecStart') ?? '').split(' ')
  expect(node).toMatch(/node_modules\/\.bin\/node$/)
  expect(entry).toMatch(/dist\/supervisor\.mjs$/)
  expect(parseOptions(options).bare).toBe(true)
})
