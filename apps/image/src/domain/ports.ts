import type { Configuration } from './config.ts'
import type { Digest } from './digest.ts'
import type { Manifest } from './manifest.ts'
import type { Reference } from './reference.ts'

/** What a reference led to. */
export interface Resolved {
  /** Digest of this machine's platform manifest. */
  digest: Digest
  /** Digest of what the reference named: an index's, or the same. */
  indexDigest: Digest
  manifest: Manifest
  /** The manifest as it came. */
  bytes: Uint8Array
}

/** Pulls and keeps images on this host. Everything is named by digest and may be asked again at any moment. */
export interface Library {
  /**
   * Finds the manifest for this machine.
   *
   * @param known the digest that was fixed before; then what lies on the host is enough and no registry is asked
   * @throws what `RegistryClient.manifest` throws, InvalidArgument(`MANIFEST_INVALID`)
   */
  resolve(reference: Reference, known: Digest | undefined, signal: AbortSignal): Promise<Resolved>
  /** Brings configuration and layers here, verified. @throws also Unavailable(`BLOB_TRUNCATED`), ResourceExhausted(`DISK_FULL`) */
  download(from: Reference, resolved: Resolved, onBytes: (done: number, total: number) => void, signal: AbortSignal): Promise<Configuration>
  /** Makes the root in the temp folder, unless it is finished already. @throws InvalidArgument(`LAYER_INVALID`), ResourceExhausted */
  convert(
    resolved: Resolved,
    configuration: Configuration,
    onLayer: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<void>
  /** Gives the root its final name. @returns its size in bytes */
  publish(digest: Digest, signal: AbortSignal): Promise<number>
  /** Size of a finished root; undefined when there is none. */
  findRoot(digest: Digest): Promise<number | undefined>
  /** Removes blobs, roots and leftovers of these digests. */
  remove(digests: readonly Digest[]): Promise<void>
  /** Runs `work` while nobody else on this host runs under the same key. */
  exclusively<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>
}

/** Everything an image is made of, by digest. */
export const partsOf = ({ digest, manifest }: Resolved): Digest[] => [
  ...new Set([digest, manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)]),
]
