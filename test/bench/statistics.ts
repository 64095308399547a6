/** The value below which the share `p` (0 to 1) of the samples lies, interpolated. @throws RangeError for no samples */
export function percentile(samples: readonly number[], p: number): number {
  if (samples.length === 0) throw new RangeError('no samples')
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (sorted.length - 1) * p
  const [low = 0, high = low] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  return low + (high - low) * (at - Math.floor(at))
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5)
}

/** Half the width of the middle 80 % of the samples, as a share of their median: the ± of a single run. */
export function spread(samples: readonly number[]): number {
  return (percentile(samples, 0.9) - percentile(samples, 0.1)) / 2 / median(samples)
}

/** Samples at even and at odd places: two measurements of the same thing, as far apart in time as rivals in pairs are. */
export function halves(samples: readonly number[]): [number[], number[]] {
  return [samples.filter((_, index) => index % 2 === 0), samples.filter((_, index) => index % 2 === 1)]
}
