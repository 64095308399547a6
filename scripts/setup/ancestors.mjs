import { readFileSync } from 'node:fs'

/** The parent of a process, or 0 when it is gone. */
function parentOf(pid) {
  try {
    return Number(
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[1],
    )
  } catch {
    return 0
  }
}

/** The ids of the nearest `count` ancestors, nearest first, as they are now. */
export function ancestors(count, pid = process.pid) {
  const found = []
  for (let current = parentOf(pid); found.length < count && current > 1; current = parentOf(current)) found.push(current)
  return found
}

/**
 * Calls `lost` once when one of the nearest `count` ancestors has gone. A signal that ends npm or its shell reaches nobody below them:
 * without this, set-up would go on for a caller that is not there any more.
 */
export function watchAncestors(count, lost) {
  const first = ancestors(count).join()
  const timer = setInterval(() => {
    if (ancestors(count).join() === first) return
    clearInterval(timer)
    lost()
  }, 250)
  timer.unref()
}
