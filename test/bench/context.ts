/** What every part of the bench is given. */
export interface BenchContext {
  /** Alternating pairs to measure. */
  readonly pairs: number
  /** Tells people how far it is. */
  readonly say: (text: string) => void
  /** Somebody wants it to end; what was started is ended in order. */
  readonly signal: AbortSignal
}
