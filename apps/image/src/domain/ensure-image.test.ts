import { describe, expect, it } from 'vitest'
import { ENSURE_WAIT_MS, ensureImage, type EnsurePorts, type Held } from './ensure-image.ts'

const signal = new AbortController().signal

/** Ports on a clock of their own: each wait passes its whole time. */
function world(answers: Held[], roots: string[] = ['d']) {
  let now = 0
  const log: string[] = []
  const ports: EnsurePorts<null, Held> = {
    ensure: async () => (answers.length > 1 ? answers.shift() : answers[0]) as Held,
    hasRoot: async (digest) => roots.includes(digest),
    lost: async () => {
      log.push('lost')
      roots.push('d')
    },
    wake: () => void log.push('wake'),
    changed: async (_, timeoutMs) => {
      now += timeoutMs
    },
    nowMs: () => now,
  }
  return { ports, log, elapsed: () => now }
}

const pending = { imageId: 'i', ready: false, digest: '' }
const ready = { imageId: 'i', ready: true, digest: 'd' }

describe('ensuring', () => {
  it('answers at once, without a wake, what is ready', async () => {
    const { ports, log, elapsed } = world([ready])
    expect(await ensureImage(ports, null, signal)).toEqual(ready)
    expect([log, elapsed()]).toEqual([[], 0])
  })

  it('waits a second at most and then says that it is not', async () => {
    const { ports, log, elapsed } = world([pending])
    expect(await ensureImage(ports, null, signal)).toEqual(pending)
    expect([log, elapsed()]).toEqual([['wake'], ENSURE_WAIT_MS])
  })

  it('answers as soon as it became ready', async () => {
    const { ports, elapsed } = world([pending, pending, ready])
    expect(await ensureImage(ports, null, signal)).toEqual(ready)
    expect(elapsed()).toBeLessThan(ENSURE_WAIT_MS)
  })

  it('never grants a root that is not there', async () => {
    const { ports, log } = world([ready], [])
    expect(await ensureImage(ports, null, signal)).toEqual(ready)
    expect(log).toEqual(['lost', 'wake'])
  })
})
