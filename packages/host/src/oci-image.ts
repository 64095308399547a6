import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { type LayerEntry, packLayer } from './oci-tar.ts'

export type { LayerEntry } from './oci-tar.ts'

/** What an image says about running it (the `config` object of the OCI image configuration). */
export interface ImageRunConfig {
  Entrypoint?: string[]
  Cmd?: string[]
  Env?: string[]
  User?: string
  WorkingDir?: string
  StopSignal?: string
  Labels?: Record<string, string>
}

export interface ImageSource {
  /** Bottom first. */
  layers: readonly { files: readonly LayerEntry[] }[]
  config?: ImageRunConfig
  /** Default `amd64`. */
  architecture?: string
  /** Wraps the manifest in an index for this platform; default false. */
  index?: boolean
}

/** An image in memory: what has to be pushed, by digest. */
export interface BuiltImage {
  /** Digest of the platform's manifest. */
  digest: string
  /** Digest of what the tag will name: the index if there is one, else the manifest. */
  indexDigest: string
  /** Config and layers by digest. */
  blobs: Map<string, Buffer>
  /** Manifests by digest, in pushing order; the last one gets the tag. */
  manifests: Map<string, { mediaType: string; bytes: Buffer }>
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const INDEX = 'application/vnd.oci.image.index.v1+json'

/** Builds an OCI image from entries in memory. The same source gives the same digests. */
export function buildImage(source: ImageSource): BuiltImage {
  const blobs = new Map<string, Buffer>()
  const manifests: BuiltImage['manifests'] = new Map()
  const store = (mediaType: string, bytes: Buffer) => {
    const digest = digestOf(bytes)
    blobs.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const architecture = source.architecture ?? 'amd64'
  const tars = source.layers.map((layer) => packLayer(layer.files))
  const layers = tars.map((tar) => store('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(tar)))
  const configuration = { architecture, os: 'linux', config: source.config ?? {}, rootfs: { type: 'layers', diff_ids: tars.map(digestOf) } }
  const config = store('application/vnd.oci.image.config.v1+json', Buffer.from(JSON.stringify(configuration)))
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers }))
  const digest = digestOf(manifest)
  manifests.set(digest, { mediaType: MANIFEST, bytes: manifest })
  if (!source.index) return { digest, indexDigest: digest, blobs, manifests }
  const entry = { mediaType: MANIFEST, digest, size: manifest.length, platform: { os: 'linux', architecture } }
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [entry] }))
  manifests.set(digestOf(index), { mediaType: INDEX, bytes: index })
  return { digest, indexDigest: digestOf(index), blobs, manifests }
}

export interface PushTarget {
  /** Base URL of the registry, e.g. `http://127.0.0.1:5000`. */
  registryUrl: string
  /** Repository, e.g. `demo/busybox`. */
  name: string
  tag: string
  signal?: AbortSignal
}

/** Pushes an image to a registry that asks for no credentials. Blobs that are there already are not sent again. */
export async function pushImage({ registryUrl, name, tag, signal }: PushTarget, image: BuiltImage): Promise<void> {
  const base = `${registryUrl}/v2/${name}`
  for (const [digest, bytes] of image.blobs) {
    const head = await fetch(`${base}/blobs/${digest}`, { method: 'HEAD', signal })
    if (!head.ok) await uploadBlob({ registryUrl, base, digest, bytes, signal })
  }
  const digests = [...image.manifests.keys()]
  for (const [digest, manifest] of image.manifests) {
    const reference = digest === digests.at(-1) ? tag : digest
    const put = { method: 'PUT', headers: { 'content-type': manifest.mediaType }, body: new Uint8Array(manifest.bytes), signal }
    await expectOk(await fetch(`${base}/manifests/${reference}`, put))
  }
}

interface Upload {
  registryUrl: string
  base: string
  digest: string
  bytes: Buffer
  signal?: AbortSignal
}

async function uploadBlob({ registryUrl, base, digest, bytes, signal }: Upload): Promise<void> {
  const begun = await expectOk(await fetch(`${base}/blobs/uploads/`, { method: 'POST', signal }))
  const location = new URL(begun.headers.get('location') ?? '', registryUrl)
  location.searchParams.set('digest', digest)
  const headers = { 'content-type': 'application/octet-stream' }
  await expectOk(await fetch(location, { method: 'PUT', headers, body: new Uint8Array(bytes), signal }))
}

async function expectOk(response: Response): Promise<Response> {
  if (response.ok) return response
  throw new Error(`registry answered ${response.status} to ${response.url}: ${(await response.text()).slice(0, 500)}`)
}

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
