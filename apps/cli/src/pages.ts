/** All pages of a list, in order, until the limit. */
export async function allPages<T>(
  limit: number,
  page: (pageToken: string, pageSize: number) => Promise<{ readonly items: readonly T[]; readonly nextPageToken: string }>,
): Promise<T[]> {
  const items: T[] = []
  let token = ''
  do {
    const answer = await page(token, Math.min(1000, limit - items.length))
    items.push(...answer.items)
    token = answer.nextPageToken
  } while (token && items.length < limit)
  return items.slice(0, limit)
}

/** Joins `--filter` and `--selector` into the API's filter. */
export function filterOf(flags: { readonly filter?: string; readonly selector?: string }): string {
  const labels = (flags.selector ?? '').split(',').filter(Boolean)
  return [flags.filter, ...labels.map((label) => `label.${label}`)].filter(Boolean).join(' and ')
}
