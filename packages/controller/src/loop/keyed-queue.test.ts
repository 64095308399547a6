import { unavailable } from '@berth/errors'
import { createLogger } from '@berth/telemetry'
import { expect, it, vi } from 'vitest'
import { keyedQueue } from './keyed-queue.ts'
import { again, type Next, settled } from './next.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const delay = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A queue whose runs end when the test says. */
function scripted(concurrency: number) {
  const begun: string[] = []
  const ends = new Map<string, { resolve: (next: Next) => void; reject: (error: unknown) => void; signal: AbortSignal; failing: boolean }>()
  const queue = keyedQueue({
    concurrency,
    logger,
    run: (key, { signal, failingSinceMs }) => {
      begun.push(key)
      return new Promise((resolve, reject) => {
        ends.set(key, { resolve, reject, signal, failing: failingSinceMs !== undefined })
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    },
  })
  const end = async (key: string, next: Next = settled()) => {
    ends.get(key)?.resolve(next)
    await tick()
  }
  return { queue, begun, end, ends }
}

it('runs first in, first out, so many at once, and a key once', async () => {
  const { queue, begun, end } = scripted(2)
  for (const key of ['a', 'b', 'c', 'c', 'd']) queue.enqueue(key)
  expect(begun).toEqual(['a', 'b'])
  await end('b')
  await end('a')
  expect(begun).toEqual(['a', 'b', 'c', 'd'])
  await end('c')
  await end('d')
  expect(queue.running()).toEqual([])
})

it('runs a key that was woken while it ran once more, not twice', async () => {
  const { queue, begun, end } = scripted(1)
  queue.enqueue('a')
  queue.enqueue('a')
  queue.enqueue('a')
  await end('a')
  await end('a')
  expect(begun).toEqual(['a', 'a'])
})

it('does not run a key again for what a run that had begun later has seen', async () => {
  const { queue, begun, end } = scripted(1)
  const before = queue.now()
  queue.enqueue('a')
  queue.enqueue('a', { since: before })
  await end('a')
  expect(begun).toEqual(['a'])
  queue.enqueue('a')
  queue.enqueue('a', { since: queue.now() })
  await end('a')
  await end('a')
  expect(begun).toEqual(['a', 'a', 'a'])
})

it('lets a patient wake wait out the pause after a failure, and an event not', async () => {
  const { queue, begun, ends } = scripted(1)
  queue.enqueue('a')
  ends.get('a')?.reject(new Error('x'))
  await tick()
  queue.enqueue('a', { patient: true })
  await tick()
  expect(begun).toEqual(['a'])
  queue.enqueue('a')
  expect(begun).toEqual(['a', 'a'])
  expect(ends.get('a')?.failing).toBe(true)
  await queue.stop(new Error('end'))
})

it('tells a run since when every run of its key has failed, and one that did not ends that', async () => {
  vi.useFakeTimers({ now: 1_000_000 })
  const since: (number | undefined)[] = []
  const queue = keyedQueue({
    concurrency: 1,
    logger,
    run: (_, { failingSinceMs }) => {
      since.push(failingSinceMs && failingSinceMs - 1_000_000)
      const ends = since.length
      return ends === 3 ? Promise.resolve(again(1_000)) : delay(500).then(() => Promise.reject(unavailable('SERVICE_UNAVAILABLE', 'away')))
    },
  })
  queue.enqueue('a')
  await vi.advanceTimersByTimeAsync(5_000)
  expect(since.slice(0, 4)).toEqual([undefined, 500, 500, undefined])
  expect(since[4]).toBeGreaterThan(2_000)
  // The present run ends by the clock.
  const stopped = queue.stop(new Error('end'))
  await vi.advanceTimersByTimeAsync(500)
  await stopped
  vi.useRealTimers()
})

it('looks about every second for what is away, however long it has been', async () => {
  vi.useFakeTimers()
  let runs = 0
  const queue = keyedQueue({
    concurrency: 1,
    logger,
    run: () => {
      runs += 1
      return Promise.reject(unavailable('SERVICE_UNAVAILABLE', 'away'))
    },
  })
  queue.enqueue('a')
  await vi.advanceTimersByTimeAsync(60_000)
  const before = runs
  await vi.advanceTimersByTimeAsync(10_000)
  expect(runs - before).toBeGreaterThanOrEqual(8)
  await queue.stop(new Error('end'))
  vi.useRealTimers()
})

it('runs now what is asked for now, over the limit, and answers with that run', async () => {
  const { queue, begun, end, ends } = scripted(1)
  queue.enqueue('long')
  queue.enqueue('b')
  const now = queue.runNow('b', new AbortController().signal)
  expect(begun).toEqual(['long', 'b'])
  const later = queue.runNow('b', new AbortController().signal)
  await end('b')
  await now
  expect(begun).toEqual(['long', 'b'])
  await end('long')
  expect(begun).toEqual(['long', 'b', 'b'])
  ends.get('b')?.reject(new Error('no'))
  await expect(later).rejects.toThrow('no')
  await queue.stop(new Error('end'))
})

it('interrupts a run with a reason and runs the key again at once', async () => {
  const { queue, begun, ends, end } = scripted(1)
  queue.enqueue('a')
  queue.interrupt('a', new Error('deleted'))
  await tick()
  expect(begun).toEqual(['a', 'a'])
  expect(ends.get('a')?.failing).toBe(false)
  await end('a')
})

it('aborts what runs and begins nothing more when it stops', async () => {
  const { queue, begun, ends } = scripted(1)
  queue.enqueue('a')
  queue.enqueue('b')
  const waiting = queue.runNow('c', new AbortController().signal)
  await queue.stop(new Error('the end'))
  await expect(waiting).rejects.toThrow('the end')
  expect(ends.get('a')?.signal.reason).toEqual(new Error('the end'))
  expect(begun).toEqual(['a', 'c'])
})

it('looks again when the run asks for it', async () => {
  const { queue, begun, end } = scripted(1)
  queue.enqueue('a')
  await end('a', again(0))
  expect(begun).toEqual(['a', 'a'])
  await end('a')
})
