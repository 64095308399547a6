import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { UnpackedLayer } from './unpack.ts'

/** The tag umoci finds the image by. */
export const LAYOUT_TAG = 'root'

/**
 * Writes an OCI image layout (OCI image spec, image layout) around checked layers that lie in its blob folder already. Config and manifest are our
 * own, so that the unpacker reads nothing a registry sent.
 *
 * @param folder has `blobs/sha256/<hex>` for each layer
 */
export async function writeLayout(folder: string, layers: readonly UnpackedLayer[]): Promise<void> {
  const put = async (mediaType: string, value: object) => {
    const bytes = Buffer.from(JSON.stringify(value))
    const hex = createHash('sha256').update(bytes).digest('hex')
    await writeFile(join(folder, 'blobs/sha256', hex), bytes)
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
  }
  const diffIds = layers.map(({ digest }) => digest)
  const config = await put('application/vnd.oci.image.config.v1+json', {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: diffIds },
  })
  const manifest = await put('application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    config,
    layers: layers.map(({ digest, sizeBytes }) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: sizeBytes })),
  })
  const named = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': LAYOUT_TAG } }
  await writeFile(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }))
  await writeFile(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
}
