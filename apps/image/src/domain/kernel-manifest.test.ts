import { describe, expect, it } from 'vitest'
import { kernelName, pairFolder, parseKernelManifest } from './kernel-manifest.ts'

const kernel = { version: '6.1.0-56-cloud-amd64', package: 'x', file: 'vmlinux', sha256: 'a'.repeat(64), format: 'vmlinux' }
const initramfs = { file: 'initramfs.cpio', sha256: 'b'.repeat(64) }
const parse = (value: unknown) => parseKernelManifest(Buffer.from(JSON.stringify(value)))

describe('kernel manifests', () => {
  it('name a pair whose folder and name change with either file', () => {
    const pair = parse({ kernel, initramfs })
    const rebuilt = parse({ kernel, initramfs: { ...initramfs, sha256: 'c'.repeat(64) } })
    expect(pairFolder(pair)).toBe(`${'a'.repeat(64)}-${'b'.repeat(64)}`)
    expect(kernelName(pair)).toMatch(/^linux-6-1-0-56-cloud-amd64-[0-9a-f]{8}$/)
    expect(kernelName(rebuilt)).not.toBe(kernelName(pair))
  })

  it.each([
    [{ kernel }],
    [{ kernel: { ...kernel, file: '../vmlinux' }, initramfs }],
    [{ kernel: { ...kernel, sha256: 'A'.repeat(64) }, initramfs }],
    [{ kernel: { ...kernel, version: 'x\n' }, initramfs }],
    [{ kernel: { ...kernel, format: 'PE' }, initramfs }],
    [{ kernel, initramfs: { ...initramfs, file: '.hidden' } }],
    [[]],
  ])('refuse %j', (value) => {
    expect(() => parse(value)).toThrow(expect.objectContaining({ reason: 'KERNEL_INVALID' }))
  })
})
