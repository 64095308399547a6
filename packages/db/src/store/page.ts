import { createHash } from 'node:crypto'
import { invalidArgument } from '@berth/errors'

export type PageRequest = { pageSize: number; pageToken: string; filter: string }

/** Rows of one page: 0 means 100, more than 1000 is 1000. */
export function pageSizeOf(requested: number): number {
  if (requested < 0) throw invalidArgument('BAD_PAGE_SIZE', 'page_size is negative', { field: 'page_size' })
  return requested === 0 ? 100 : Math.min(requested, 1000)
}

/** A token that goes on after `lastId`; it only fits the same scope and filter. */
export function pageToken(lastId: string, scope: string): string {
  return Buffer.from(JSON.stringify([lastId, digest(lastId, scope)])).toString('base64url')
}

/** The id that a page token stands for; empty for an empty token. @throws InvalidArgument(`BAD_PAGE_TOKEN`) */
export function readPageToken(token: string, scope: string): string {
  if (token === '') return ''
  const parts = parse(token)
  if (parts === undefined || parts[1] !== digest(parts[0], scope))
    throw invalidArgument('BAD_PAGE_TOKEN', 'page_token is not one of this list with this filter', { field: 'page_token' })
  return parts[0]
}

function parse(token: string): [string, string] | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    return Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'string' ? [value[0], value[1]] : undefined
  } catch {
    return undefined
  }
}

/** Tells a token that was changed or meant for another list; it guards no secret, since every query names the project. */
function digest(lastId: string, scope: string): string {
  return createHash('sha256').update(`${scope}\0${lastId}`).digest('base64url').slice(0, 16)
}
