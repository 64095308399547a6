import { paddingAfter, packHeader } from '@berth/host/oci-tar'
import { admit, type Extension } from './policy.ts'
import { BLOCK, decode, readPax, readTarHeader, TarError } from './tar-header.ts'
import { applyWhiteoutRules, type Seen } from './whiteout.ts'

/** What the filter counts, over all layers of an image. */
export interface Tally {
  entries: number
  /** Latest modification time met, in seconds since 1970. */
  newest: number
}

const MOST_EXTENSION_BYTES = 1024 * 1024
const BATCH_BYTES = 512 * 1024

/**
 * Reads a layer's tar archive and writes it anew, in one plain dialect: what comes out has been understood by us and has passed the policy
 * (names, links, attributes, device nodes, whiteouts), so that the unpacker behind it never meets a hostile header.
 *
 * @param onEntry called after each entry was counted; may throw to refuse the layer
 * @throws TarError
 */
export async function* filterLayer(source: AsyncIterable<Buffer>, tally: Tally, onEntry: (tally: Tally) => void): AsyncGenerator<Buffer> {
  const input = reader(source)
  const seen: Seen = new Map()
  const batch = batcher()
  let extension = none()
  for (;;) {
    const header = await readHeader(input)
    if (!header) break
    if (header.flag in EXTENSIONS) {
      extension = await extend(input, header.flag, header.sizeBytes, extension)
      continue
    }
    const { entry, sizeBytes } = admit(header, extension)
    extension = none()
    tally.entries++
    tally.newest = Math.max(tally.newest, entry.mtime ?? 0)
    onEntry(tally)
    const kept = applyWhiteoutRules(entry, seen)
    // A whiteout's content, if it has any, means nothing.
    const passes = kept === entry
    if (kept) yield* batch.add(packHeader(kept, passes ? sizeBytes : 0))
    for await (const chunk of input.pass(sizeBytes)) if (passes) yield* batch.add(chunk)
    await input.skip(paddingAfter(sizeBytes))
    if (passes) yield* batch.add(Buffer.alloc(paddingAfter(sizeBytes)))
  }
  yield* batch.add(Buffer.alloc(2 * BLOCK))
  yield* batch.flush()
  await input.drain()
}

const EXTENSIONS = { x: true, g: true, L: true, K: true }
const none = (): Extension => ({ pax: new Map(), longPath: undefined, longTarget: undefined })

async function readHeader(input: Reader) {
  const block = await input.take(BLOCK)
  // Some writers leave the closing blocks out.
  return block.length === 0 ? undefined : readTarHeader(block)
}

async function extend(input: Reader, flag: string, sizeBytes: number, before: Extension): Promise<Extension> {
  if (sizeBytes > MOST_EXTENSION_BYTES) throw new TarError('an extended header is too long')
  const body = await input.take(sizeBytes)
  if (body.length < sizeBytes) throw new TarError('the archive ends in a header')
  await input.skip(paddingAfter(sizeBytes))
  if (flag === 'x') return { ...before, pax: readPax(body) }
  const name = () => decode(body.subarray(0, body.indexOf(0) < 0 ? body.length : body.indexOf(0)))
  if (flag === 'L') return { ...before, longPath: name() }
  if (flag === 'K') return { ...before, longTarget: name() }
  // Global headers carry comments (git) and defaults that nothing builds images with.
  return before
}

type Reader = ReturnType<typeof reader>

function reader(source: AsyncIterable<Buffer>) {
  const chunks = source[Symbol.asyncIterator]()
  let current: Buffer = Buffer.alloc(0)

  async function more(): Promise<boolean> {
    while (current.length === 0) {
      const next = await chunks.next()
      if (next.done) return false
      current = next.value
    }
    return true
  }

  async function* pass(sizeBytes: number): AsyncGenerator<Buffer> {
    for (let left = sizeBytes; left > 0; ) {
      if (!(await more())) throw new TarError('the archive ends within an entry')
      const chunk = current.subarray(0, left)
      current = current.subarray(chunk.length)
      left -= chunk.length
      yield chunk
    }
  }

  /** Exactly so many bytes; none at the end of the archive. */
  async function take(sizeBytes: number): Promise<Buffer> {
    if (!(await more())) return Buffer.alloc(0)
    if (current.length >= sizeBytes) {
      const taken = current.subarray(0, sizeBytes)
      current = current.subarray(sizeBytes)
      return taken
    }
    const parts: Buffer[] = []
    for await (const chunk of pass(sizeBytes)) parts.push(chunk)
    return Buffer.concat(parts)
  }

  async function skip(sizeBytes: number): Promise<void> {
    if (sizeBytes > 0) await take(sizeBytes)
  }

  /** Reads on to the end, so that whoever hashes the source sees all of it. */
  async function drain(): Promise<void> {
    do current = Buffer.alloc(0)
    while (await more())
  }

  return { take, pass, skip, drain }
}

/** Gathers small pieces, so that a layer of small files does not become as many writes. */
function batcher() {
  let parts: Buffer[] = []
  let bytes = 0
  function* flush(): Generator<Buffer> {
    if (bytes > 0) yield Buffer.concat(parts)
    parts = []
    bytes = 0
  }
  function* add(part: Buffer): Generator<Buffer> {
    parts.push(part)
    bytes += part.length
    if (bytes >= BATCH_BYTES) yield* flush()
  }
  return { add, flush }
}
