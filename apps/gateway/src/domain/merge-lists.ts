/** Where a merged list stands in one service's list: the page it is on, the last item taken of it, and whether the list is over. */
export type Position = { token: string; after: string; done: boolean }

export const start: Position = { token: '', after: '', done: false }

/** One service's list, page by page; `fetch` answers a page that begins at the token. */
export type Source<T> = { name: string; position: Position; fetch: (token: string) => Promise<{ items: T[]; nextToken: string }> }

export type Order<T> = { id: (item: T) => string; timeMs: (item: T) => number }

type Cursor<T> = { source: Source<T>; token: string; after: string; items: T[]; nextToken: string }

/**
 * The first `size` items of several lists, each in the order of ids, merged by time and then id; with where each list stands after
 * them. An item is never skipped and never given twice, whatever is added at the ends meanwhile.
 */
export async function mergeLists<T>(
  sources: Source<T>[],
  size: number,
  order: Order<T>,
): Promise<{ items: T[]; positions: Record<string, Position> }> {
  const cursors = await Promise.all(sources.filter(({ position }) => !position.done).map((source) => open(source, order)))
  const items: T[] = []
  while (items.length < size) {
    const first = cursors
      .filter((cursor) => cursor.items.length > 0)
      .toSorted((a, b) => compare(a.items[0] as T, b.items[0] as T, order))[0]
    if (!first) break
    const item = first.items.shift() as T
    first.after = order.id(item)
    items.push(item)
    if (first.items.length === 0) await turn(first)
  }
  const positions: Record<string, Position> = {}
  for (const { name, position } of sources) if (position.done) positions[name] = position
  for (const { source, token, after, items: left, nextToken } of cursors) {
    positions[source.name] = { token, after, done: left.length === 0 && nextToken === '' }
  }
  return { items, positions }
}

async function open<T>(source: Source<T>, order: Order<T>): Promise<Cursor<T>> {
  const { token, after } = source.position
  const page = await source.fetch(token)
  const items = after === '' ? page.items : page.items.filter((item) => order.id(item) > after)
  const cursor = { source, token, after, items, nextToken: page.nextToken }
  if (items.length === 0) await turn(cursor)
  return cursor
}

/** Goes on to the next page that holds something. */
async function turn<T>(cursor: Cursor<T>): Promise<void> {
  while (cursor.items.length === 0 && cursor.nextToken !== '') {
    cursor.token = cursor.nextToken
    cursor.after = ''
    const page = await cursor.source.fetch(cursor.token)
    cursor.items = page.items
    cursor.nextToken = page.nextToken
  }
}

function compare<T>(a: T, b: T, { id, timeMs }: Order<T>): number {
  return timeMs(a) - timeMs(b) || (id(a) < id(b) ? -1 : 1)
}
