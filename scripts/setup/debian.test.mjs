import { expect, test } from 'vitest'
import { missingPackages, parseDependency } from './debian.mjs'

test('the kernel package is read from its meta-package', () => {
  const record =
    'Package: linux-image-cloud-amd64\nVersion: 6.1.192-2\nDepends: linux-base, linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)\n'
  expect(parseDependency(record, 'linux-image-')).toEqual({ name: 'linux-image-6.1.0-56-cloud-amd64', version: '6.1.192-2' })
})

test('a meta-package without the expected dependency is an error', () => {
  expect(() => parseDependency('Package: x\nDepends: y\n', 'linux-image-')).toThrow('no dependency linux-image-')
})

test('unknown packages are missing, installed ones are not', async () => {
  expect(await missingPackages(['dpkg', 'berth-no-such-package'])).toEqual(['berth-no-such-package'])
})
