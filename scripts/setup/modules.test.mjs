import { expect, test } from 'vitest'
import { builtinNames, loadOrder, needsOf } from './modules.mjs'

const module = (...info) => Buffer.from(`\x7fELF…\0${info.join('\0')}\0…`, 'latin1')

const kernel = new Map([
  ['virtio', module('license=GPL', 'depends=')],
  ['virtio_ring', module('depends=virtio')],
  ['virtio_blk', module('depends=virtio-ring,virtio')],
  ['erofs', module('depends=libcrc32c', 'softdep=pre: crc32c')],
  ['libcrc32c', module('depends=')],
  ['broken', module('depends=gone')],
])
const load = async (name) => kernel.get(name)
const names = async (wanted, builtin = new Set()) => (await loadOrder(wanted, builtin, load)).map((entry) => entry.name)

test('dependencies come before what needs them, each once', async () => {
  expect(await names(['virtio_blk', 'virtio-ring', 'erofs'])).toEqual(['virtio', 'virtio_ring', 'virtio_blk', 'libcrc32c', 'erofs'])
})

test('what is built in is not loaded', async () => {
  expect(await names(['virtio_blk'], builtinNames('kernel/drivers/virtio/virtio.ko\nkernel/x/virtio-ring.ko\n'))).toEqual(['virtio_blk'])
})

test('a module or a hard dependency that the kernel lacks is an error that names both', async () => {
  await expect(names(['floppy'])).rejects.toThrow('no module floppy')
  await expect(names(['broken'])).rejects.toThrow('no module gone, which broken needs')
})

test('soft dependencies are read up to the post list', () => {
  expect(needsOf(module('softdep=pre: a b-c post: d', 'depends=')).soft).toEqual(['a', 'b_c'])
})
