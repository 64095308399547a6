import { invalidArgument, resourceExhausted } from '@berth/errors'
import { type Digest, isDigest } from './digest.ts'
import { arrayOf, type Json, objectOf, parseJson, textOf } from './json.ts'
import { limits } from './limits.ts'

/** A piece of an image: what it is, and which bytes. */
export interface Descriptor {
  mediaType: string
  digest: Digest
  sizeBytes: number
}

export type Compression = 'none' | 'gzip' | 'zstd'

export interface Layer extends Descriptor {
  compression: Compression
}

/** A manifest of one platform. */
export interface Manifest {
  kind: 'manifest'
  config: Descriptor
  layers: Layer[]
}

/** One entry of an index. */
export interface Platform extends Descriptor {
  os: string
  architecture: string
}

export interface Index {
  kind: 'index'
  manifests: Platform[]
}

export const manifestTypes = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json']
export const indexTypes = ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json']
const configTypes = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json']
const layerTypes: Record<string, Compression> = {
  'application/vnd.oci.image.layer.v1.tar': 'none',
  'application/vnd.oci.image.layer.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd': 'zstd',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'zstd',
}

const refused = (why: string) => invalidArgument('MANIFEST_INVALID', `the image's manifest is refused: ${why}`, { field: 'reference' })
const tooLarge = (why: string) => resourceExhausted('IMAGE_TOO_LARGE', `the image is too large: ${why}`)

/**
 * Parses a manifest or an index of the OCI image spec or of Docker's schema 2.
 * What could be read as either is refused (CVE-2021-41190).
 *
 * @param contentType what the registry said it is; must agree with `mediaType` inside where both are known
 * @throws InvalidArgument(`MANIFEST_INVALID`), ResourceExhausted(`IMAGE_TOO_LARGE`)
 */
export function parseManifest(bytes: Uint8Array, contentType?: string): Manifest | Index {
  const json = parseJson(bytes, refused)
  if (json.schemaVersion !== 2) throw refused('its schema version is not 2')
  if ('layers' in json && 'manifests' in json) throw refused('it has both layers and manifests')
  const kind = kindOf(json, contentType)
  return kind === 'index' ? parseIndex(json) : parseImage(json)
}

function kindOf(json: Json, contentType: string | undefined): 'manifest' | 'index' {
  const inside = json.mediaType
  if (inside !== undefined && typeof inside !== 'string') throw refused('its media type is no text')
  const served = [...manifestTypes, ...indexTypes].find((type) => type === contentType)
  if (inside !== undefined && served !== undefined && inside !== served) throw refused('its media type is not what the registry said')
  const mediaType = inside ?? served
  if (mediaType !== undefined && indexTypes.includes(mediaType)) return 'index'
  if (mediaType !== undefined && !manifestTypes.includes(mediaType)) throw refused('its media type is unknown')
  if (mediaType === undefined && 'manifests' in json) return 'index'
  return 'manifest'
}

function parseIndex(json: Json): Index {
  const entries = arrayOf(json.manifests, 'manifests', refused)
  if (entries.length > limits.indexEntries) throw refused(`it lists more than ${limits.indexEntries} manifests`)
  return { kind: 'index', manifests: entries.map(platform) }
}

function platform(value: unknown): Platform {
  const entry = objectOf(value, 'manifests', refused)
  const found = entry.platform === undefined ? {} : objectOf(entry.platform, 'platform', refused)
  return {
    ...descriptor(value, limits.manifestBytes),
    os: textOf(found.os, 'os', refused),
    architecture: textOf(found.architecture, 'architecture', refused),
  }
}

function parseImage(json: Json): Manifest {
  const config = descriptor(json.config, limits.configBytes)
  if (!configTypes.includes(config.mediaType)) throw refused('its config is not that of a container image')
  const entries = arrayOf(json.layers, 'layers', refused)
  if (entries.length === 0) throw refused('it has no layers')
  if (entries.length > limits.layers) throw refused(`it has more than ${limits.layers} layers`)
  const layers = entries.map(layer)
  const compressed = layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  if (compressed > limits.compressedBytes) throw tooLarge(`${compressed} compressed bytes`)
  return { kind: 'manifest', config, layers }
}

function layer(value: unknown): Layer {
  const found = descriptor(value, limits.layerBytes)
  const compression = Object.hasOwn(layerTypes, found.mediaType) ? layerTypes[found.mediaType] : undefined
  if (compression === undefined) throw refused('a layer has a media type that is not taken (foreign layers are refused)')
  return { ...found, compression }
}

function descriptor(value: unknown, mostBytes: number): Descriptor {
  const { mediaType, digest, size, urls } = objectOf(value, 'descriptor', refused)
  if (typeof mediaType !== 'string') throw refused('a descriptor has no media type')
  if (!isDigest(digest)) throw refused('a digest is not “sha256:” and 64 lower-case hex digits')
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1) throw refused('a size is no positive whole number')
  if (size > mostBytes) throw tooLarge(`a part of ${size} bytes`)
  if (urls !== undefined && arrayOf(urls, 'urls', refused).length > 0) throw refused('a part is to be fetched from elsewhere')
  return { mediaType, digest, sizeBytes: size }
}

/**
 * The entry of an index for this machine.
 *
 * @throws InvalidArgument(`MANIFEST_INVALID`) when there is none
 */
export function choosePlatform(index: Index, architecture = 'amd64'): Platform {
  const found = index.manifests.find((entry) => entry.os === 'linux' && entry.architecture === architecture)
  // An index inside an index names no platform.
  const nested = index.manifests.find((entry) => indexTypes.includes(entry.mediaType) && entry.os === '')
  const chosen = found ?? nested
  if (!chosen) throw refused(`it has nothing for linux/${architecture}`)
  return chosen
}
