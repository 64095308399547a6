const durationUnits: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const byteUnits: Record<string, number> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
}

/** Milliseconds of `30s`, `1h30m`, `250ms`, `0`; undefined for anything else, a bare number included: a unit must be named. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined
  let totalMs = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    totalMs += Number(amount) * (durationUnits[unit ?? ''] ?? Number.NaN)
  return Number.isSafeInteger(Math.round(totalMs)) ? Math.round(totalMs) : undefined
}

/** Bytes of `8GiB`, `1.5 MiB`, `10GB`, `4096` or `4096B`; undefined for anything else. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)?$/.exec(text)
  if (!match) return undefined
  const bytes = Number(match[1]) * (byteUnits[match[2] ?? 'B'] ?? Number.NaN)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

export type HostPort = { host: string; port: number }

/** Host and port of `127.0.0.1:7000`, `name:7000` or `[::1]:7000`; undefined for anything else. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  if (!match?.[1] || port > 65_535) return undefined
  return { host: match[1].replace(/^\[|\]$/g, ''), port }
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
