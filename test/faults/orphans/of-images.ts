import { readdirSync } from 'node:fs'
import { away, copy, data, file, folder, HEX } from './ground.ts'
import { type Orphan, orphan } from './orphan.ts'

const kernel = () => readdirSync(data('image/kernels'))[0] ?? ''
const service = 'image'

/** Things of images and kernels. */
export const ofImages: Orphan[] = [
  orphan(
    'a blob without a row',
    () => file('image/blobs/sha256', HEX),
    () => ({ service, side: 'HOST_ONLY', kind: 'file', name: `blobs/sha256/${HEX}` }),
  ),
  orphan(
    'a root without a row',
    () => file('image/roots', `${HEX}.erofs`),
    () => ({ service, side: 'HOST_ONLY', kind: 'file', name: `roots/${HEX}.erofs` }),
  ),
  orphan(
    'a download that nobody does',
    () => file('image/tmp', `blob-${HEX}`),
    () => ({ service, side: 'HOST_ONLY', kind: 'file', name: `tmp/blob-${HEX}` }),
  ),
  orphan(
    'a kernel without a row',
    () => folder(data('image/kernels', `${HEX}-${HEX}`)),
    () => ({ service, side: 'HOST_ONLY', kind: 'folder', name: `kernels/${HEX}-${HEX}` }),
  ),
  orphan(
    'a row without its root',
    async () => away(data('image/roots', `${(await copy()).root}.erofs`)),
    () => ({ service, side: 'DATABASE_ONLY', kind: 'file' }),
  ),
  orphan(
    'a row without a blob of it',
    async () => away(data('image/blobs/sha256', (await copy()).blob)),
    () => ({ service, side: 'DATABASE_ONLY', kind: 'file' }),
  ),
  orphan(
    'a row of a kernel without its files',
    () => away(data('image/kernels', kernel())),
    () => ({ service, side: 'DATABASE_ONLY', kind: 'folder' }),
  ),
]
