import { describe, expect, it } from 'vitest'
import { limits } from './limits.ts'
import { choosePlatform, type Index, parseManifest } from './manifest.ts'

const digest = `sha256:${'0'.repeat(64)}`
const OCI = 'application/vnd.oci.image.manifest.v1+json'
const INDEX = 'application/vnd.oci.image.index.v1+json'
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 }
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 10 }
const good = { schemaVersion: 2, mediaType: OCI, config, layers: [layer] }
const parse = (value: unknown, type?: string) => parseManifest(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), type)

describe('manifests', () => {
  it('reads those of OCI and of Docker', () => {
    expect(parse(good, OCI)).toMatchObject({ kind: 'manifest', layers: [{ compression: 'gzip', sizeBytes: 10 }] })
    const docker = {
      schemaVersion: 2,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      config: { ...config, mediaType: 'application/vnd.docker.container.image.v1+json' },
      layers: [{ ...layer, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }],
    }
    expect(parse(docker)).toMatchObject({ kind: 'manifest' })
  })

  it.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['null', 'null'],
    ['schema 1', { ...good, schemaVersion: 1 }],
    ['layers and manifests (CVE-2021-41190)', { ...good, manifests: [] }],
    ['an index that is served as a manifest', { schemaVersion: 2, mediaType: INDEX, manifests: [] }, OCI],
    ['an unknown media type', { ...good, mediaType: 'application/json' }],
    ['a media type that is a number', { ...good, mediaType: 7 }],
    ['no config', { ...good, config: undefined }],
    ['a config of something else', { ...good, config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' } }],
    ['no layers', { ...good, layers: [] }],
    ['layers that are an object', { ...good, layers: { length: 1 } }],
    ['too many layers', { ...good, layers: Array.from({ length: limits.layers + 1 }, () => layer) }],
    ['a digest that climbs', { ...good, layers: [{ ...layer, digest: 'sha256:../../etc/passwd' }] }],
    ['a digest in upper case', { ...good, layers: [{ ...layer, digest: `sha256:${'A'.repeat(64)}` }] }],
    ['another algorithm', { ...good, layers: [{ ...layer, digest: `sha512:${'0'.repeat(128)}` }] }],
    ['a negative size', { ...good, layers: [{ ...layer, size: -1 }] }],
    ['a size of 0', { ...good, layers: [{ ...layer, size: 0 }] }],
    ['a size in text', { ...good, layers: [{ ...layer, size: '10' }] }],
    ['a broken size', { ...good, layers: [{ ...layer, size: 1.5 }] }],
    ['a foreign layer', { ...good, layers: [{ ...layer, urls: ['https://example.com'] }] }],
    ['a foreign media type', { ...good, layers: [{ ...layer, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' }] }],
    ['a media type from the prototype', { ...good, layers: [{ ...layer, mediaType: 'constructor' }] }],
  ])('refuses %s', (_, value, type?: string) => {
    expect(() => parse(value, type)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', reason: 'MANIFEST_INVALID' }))
  })

  it('refuses what is too large as such', () => {
    const one = { ...layer, size: limits.layerBytes }
    for (const layers of [[{ ...layer, size: limits.layerBytes + 1 }], [one, one, one]])
      expect(() => parse({ ...good, layers })).toThrow(expect.objectContaining({ code: 'RESOURCE_EXHAUSTED', reason: 'IMAGE_TOO_LARGE' }))
  })

  it('chooses this machine from an index, or an index within it', () => {
    const entry = (architecture: string, mediaType = OCI) => ({ mediaType, digest, size: 2, platform: { os: 'linux', architecture } })
    const index = (manifests: unknown[]) => parse({ schemaVersion: 2, mediaType: INDEX, manifests }) as Index
    expect(choosePlatform(index([entry('arm64'), entry('amd64')]))).toMatchObject({ architecture: 'amd64' })
    expect(choosePlatform(index([entry('arm64'), { mediaType: INDEX, digest, size: 2 }]))).toMatchObject({ mediaType: INDEX })
    expect(() => choosePlatform(index([entry('arm64')]))).toThrow(expect.objectContaining({ reason: 'MANIFEST_INVALID' }))
  })
})
