import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt'

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** A size in IEC units, with one digit after the point when there are fewer than ten: `512MiB`, `1.5GiB`. */
export function formatBytes(bytes: bigint | number): string {
  let value = Number(bytes)
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = value < 10 && !Number.isInteger(value) ? value.toFixed(1) : String(Math.round(value))
  return `${digits}${UNITS[unit]}`
}

/**
 * Bytes of `512MiB`, `2GiB`, `1024`, `1.5GiB` (IEC units; K, M, G, T alone mean the same).
 *
 * @throws Error when it is anything else
 */
export function parseBytes(text: string): bigint {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGTP])?(?:i?B)?$/i.exec(text.trim())
  if (!match?.[1]) throw new Error(`“${text}” is not a size; write for example 512MiB or 2GiB`)
  const power = match[2] ? 'KMGTP'.indexOf(match[2].toUpperCase()) + 1 : 0
  return BigInt(Math.round(Number(match[1]) * 1024 ** power))
}

/**
 * Milliseconds of a Go-style duration: `30s`, `5m`, `1h30m`, `250ms`.
 *
 * @throws Error when it is anything else
 */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text)
    throw new Error(`“${text}” is not a duration; write for example 30s or 5m`)
  const factors: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  return parts.reduce((sum, part) => sum + Number(part[1]) * (factors[part[2] ?? ''] ?? 0), 0)
}

/** Time since `time` as kubectl prints ages: `5s`, `3m`, `2h`, `4d`; `<unset>` without one. */
export function formatAge(time: Timestamp | undefined, now = Date.now()): string {
  if (!time) return '<unset>'
  const seconds = Math.max(0, Math.floor((now - timestampDate(time).getTime()) / 1000))
  if (seconds < 120) return `${seconds}s`
  if (seconds < 120 * 60) return `${Math.floor(seconds / 60)}m`
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

/** Milliseconds as `240 ms` or `1.2 s`. */
export function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
