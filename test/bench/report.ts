/** One thing that was measured. */
export interface Row {
  readonly measure: string
  readonly unit: 'ms' | '/s' | 'MiB' | ''
  readonly berth: number
  /** The same by other means, in the same run. */
  readonly rival?: number
  /** What is aimed at, and whether it was reached. */
  readonly goal?: { readonly text: string; readonly met: boolean }
  /** What else belongs to it. */
  readonly note?: string
  /** Every single measurement, for `-o json`. */
  readonly samples?: { readonly berth: readonly number[]; readonly rival?: readonly number[] }
}

/** Memory of one group of processes, in bytes. */
export interface MemoryRow {
  readonly group: string
  readonly processes: readonly [number, number]
  readonly rssBytes: readonly [number, number]
  readonly pssBytes: readonly [number, number]
}

/** The machine while it was measured: on a loaded one, times say little. */
export interface Machine {
  readonly cpus: number
  readonly kernel: string
  readonly loadBefore: number
  readonly loadAfter: number
}

export function renderRows(rows: readonly Row[]): string {
  const body = rows.map(({ measure, unit, berth, rival, goal, note }) => [
    measure,
    quantity(berth, unit),
    rival === undefined ? '' : quantity(rival, unit),
    rival === undefined ? '' : (berth / rival).toFixed(2),
    rival === undefined ? '' : quantity(berth - rival, unit),
    goal ? `${goal.text} ${goal.met ? 'met' : 'MISSED'}` : '',
    note ?? '',
  ])
  return table([['MEASURE', 'BERTH', 'RIVAL', 'RATIO', 'DIFFERENCE', 'GOAL', 'NOTE'], ...body])
}

export function renderMemory(rows: readonly MemoryRow[]): string {
  const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(0)
  const body = rows.map(({ group, processes, rssBytes, pssBytes }) => [
    group,
    processes.join(' → '),
    rssBytes.map(mebibytes).join(' → '),
    pssBytes.map(mebibytes).join(' → '),
  ])
  return table([['MEMORY AT 0 → 10 VMS', 'PROCESSES', 'RSS MiB', 'PSS MiB'], ...body])
}

export function renderMachine({ cpus, kernel, loadBefore, loadAfter }: Machine): string {
  return `${cpus} CPUs, Linux ${kernel}, load ${loadBefore.toFixed(1)} before and ${loadAfter.toFixed(1)} after`
}

function quantity(value: number, unit: Row['unit']): string {
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0
  return `${value.toFixed(digits)} ${unit}`.trim()
}

function table(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
