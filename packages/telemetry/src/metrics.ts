export type Labels = Record<string, string>

export type Counter = { add(amount?: number, labels?: Labels): void }
export type Gauge = { set(value: number, labels?: Labels): void }
export type Histogram = { observe(value: number, labels?: Labels): void }

export type Metrics = {
  /** A count that only grows; its name ends in `_total`. */
  counter(name: string, help: string): Counter
  /** A value that goes up and down. */
  gauge(name: string, help: string): Gauge
  /** A value read when somebody asks; throws away nothing when the function throws: the line is missing then. */
  read(name: string, help: string, value: () => number | Map<Labels, number>): void
  /** How values are spread; `buckets` are upper bounds in the unit of the name, default seconds from 5 ms to 10 s. */
  histogram(name: string, help: string, buckets?: number[]): Histogram
  /** All of it in Prometheus's text format. */
  render(): string
}

type Family = { help: string; type: 'counter' | 'gauge' | 'histogram'; lines(): Iterable<string> }

const nameRule = /^berth_[a-z0-9_]+$/
const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** A label with unbounded values (ids) must not eat the memory. */
const maxSeries = 2000

/** Makes an empty registry. Names must match `berth_…` and be new; labels never hold ids. */
export function createMetrics(): Metrics {
  const families = new Map<string, Family>()
  const add = (name: string, family: Family): void => {
    if (!nameRule.test(name)) throw new Error(`${name} is no name of a metric: berth_… in lower case`)
    if (families.has(name)) throw new Error(`the metric ${name} is there already`)
    families.set(name, family)
  }
  return {
    counter(name, help) {
      const series = valueSeries(name)
      add(name, { help, type: 'counter', lines: series.lines })
      return { add: (amount = 1, labels = {}) => series.update(labels, (value) => value + amount) }
    },
    gauge(name, help) {
      const series = valueSeries(name)
      add(name, { help, type: 'gauge', lines: series.lines })
      return { set: (value, labels = {}) => series.update(labels, () => value) }
    },
    read(name, help, value) {
      add(name, { help, type: 'gauge', lines: () => readLines(name, value) })
    },
    histogram(name, help, buckets = secondsBuckets) {
      const series = histogramSeries(name, buckets)
      add(name, { help, type: 'histogram', lines: series.lines })
      return { observe: series.observe }
    },
    render() {
      const lines: string[] = []
      for (const [name, { help, type, lines: values }] of families) {
        lines.push(`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${type}`, ...values())
      }
      return `${lines.join('\n')}\n`
    },
  }
}

function valueSeries(name: string) {
  const values = new Map<string, number>()
  return {
    update(labels: Labels, change: (value: number) => number): void {
      const key = renderLabels(labels)
      if (!values.has(key) && values.size >= maxSeries) return
      values.set(key, change(values.get(key) ?? 0))
    },
    lines: () => [...values].map(([labels, value]) => `${name}${labels} ${value}`),
  }
}

function histogramSeries(name: string, buckets: number[]) {
  const all = new Map<string, { labels: Labels; counts: number[]; sum: number; count: number }>()
  return {
    observe(value: number, labels: Labels = {}): void {
      const key = renderLabels(labels)
      let series = all.get(key)
      if (!series) {
        if (all.size >= maxSeries) return
        series = { labels, counts: buckets.map(() => 0), sum: 0, count: 0 }
        all.set(key, series)
      }
      series.sum += value
      series.count += 1
      for (const [index, bound] of buckets.entries()) if (value <= bound) series.counts[index] = (series.counts[index] ?? 0) + 1
    },
    lines: () =>
      [...all].flatMap(([key, { labels, counts, sum, count }]) => [
        ...buckets.map((bound, index) => `${name}_bucket${renderLabels({ ...labels, le: String(bound) })} ${counts[index]}`),
        `${name}_bucket${renderLabels({ ...labels, le: '+Inf' })} ${count}`,
        `${name}_sum${key} ${sum}`,
        `${name}_count${key} ${count}`,
      ]),
  }
}

function readLines(name: string, read: () => number | Map<Labels, number>): string[] {
  try {
    const value = read()
    if (typeof value === 'number') return [`${name} ${value}`]
    return [...value].map(([labels, number]) => `${name}${renderLabels(labels)} ${number}`)
  } catch {
    return []
  }
}

function renderLabels(labels: Labels): string {
  const parts = Object.entries(labels).map(
    ([key, value]) => `${key}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
  )
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}
