const MiB = 1024 * 1024
const GiB = 1024 * MiB

/** Bounds on what a registry may make this host do. Beyond them an image is refused. */
export const limits = {
  /** Largest manifest, index or token answer read, in bytes. */
  manifestBytes: 4 * MiB,
  /** Largest image configuration read, in bytes. */
  configBytes: 4 * MiB,
  layers: 128,
  /** Entries of one index that are looked at. */
  indexEntries: 256,
  /** Indexes between the reference and the manifest. */
  indexNesting: 2,
  /** Largest compressed layer. */
  layerBytes: 10 * GiB,
  /** All compressed layers together. */
  compressedBytes: 20 * GiB,
  /** All layers unpacked, files that later layers hide included. */
  unpackedBytes: 32 * GiB,
  /** Entries of all layers together. */
  entries: 2_000_000,
  /** Unpacked bytes a compressed byte may stand for, once a layer is larger than `ratioFreeBytes`. */
  ratio: 100,
  ratioFreeBytes: 256 * MiB,
  /** Layers downloaded at once for one image. */
  parallelLayers: 3,
  redirects: 5,
  /** Tries of one request, the first included. */
  attempts: 4,
  /** No byte for so long ends a request. */
  idleMs: 20_000,
  /** Slowest transfer borne over a whole blob, in bytes a second. */
  slowestBytesPerSecond: 16 * 1024,
  /** Longest Retry-After that is waited for. */
  retryAfterMs: 30_000,
} as const
