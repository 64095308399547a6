/** What a reconcile wants to happen next. */
export type Next = { again: false } | { again: true; afterMs: number }

/** Nothing to do until something changes. */
export function settled(): Next {
  return { again: false }
}

/** Look again after so many milliseconds, or sooner when something changes. 0 is at once. */
export function again(afterMs: number): Next {
  return { again: true, afterMs }
}
