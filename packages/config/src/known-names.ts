/** Every variable that begins with `BERTH_` and means something, in one place, so that a slip of the pen is noticed. */
export const knownNames: readonly string[] = [
  'BERTH_HOME',
  'BERTH_DATA_DIR',
  'BERTH_RUN_DIR',
  'BERTH_LISTEN',
  'BERTH_ADVERTISE',
  ...['IMAGE', 'VOLUME', 'NETWORK', 'DEVICE', 'INSTANCE', 'GATEWAY'].map((service) => `BERTH_${service}_ADDRESS`),
  ...['IMAGE', 'VOLUME', 'NETWORK', 'DEVICE', 'INSTANCE', 'ACCESS'].map((service) => `BERTH_${service}_DATABASE_URL`),
  'BERTH_DATABASE_PREPARE',
  'BERTH_LOG_LEVEL',
  'BERTH_INSECURE_REGISTRIES',
  'BERTH_GUEST_DIR',
  'BERTH_SHIM',
  'BERTH_HYPERVISOR',
  'BERTH_HOST_NETWORK',
  'BERTH_STORAGE',
  'BERTH_FAILPOINTS_FILE',
  'BERTH_TEST_BOOT_ID',
  'BERTH_TEST_LONGEST_RESTART',
  'BERTH_TEST_NO_EVENTS',
  'BERTH_TEST_NO_POLL',
  'BERTH_TEST_STALE',
  'BERTH_UID_RANGE',
  'BERTH_VOLUME_RESERVE',
  'BERTH_PORT_OFFSET',
  'BERTH_NATS_SERVER',
  ...['ENDPOINT', 'TOKEN', 'PROJECT', 'CONTEXT', 'CONFIG', 'OUTPUT', 'DEBUG', 'TLS_CA', 'TLS_CERT', 'TLS_KEY', 'INSECURE'].map(
    (name) => `BERTH_${name}`,
  ),
]

/**
 * One line for every variable that begins with `BERTH_` and that nothing reads, with the name that was probably meant.
 *
 * @param extra names that only this program reads
 */
export function unknownNames(environment: Record<string, string | undefined>, extra: readonly string[] = []): string[] {
  const known = new Set([...knownNames, ...extra])
  return Object.keys(environment)
    .filter((name) => name.startsWith('BERTH_') && !known.has(name) && !known.has(name.replace(/_FILE$/, '')))
    .toSorted()
    .map((name) => {
      const meant = nearest(name, known)
      return `unknown variable ${name}${meant ? `; did you mean ${meant}?` : ''}`
    })
}

function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor((name.length - 'BERTH_'.length) / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/** How many letters must be added, taken away or changed to make one word of the other. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, change))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
