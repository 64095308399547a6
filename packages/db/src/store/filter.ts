import { invalidArgument } from '@berth/errors'

export type Term = { field: string; value: string }

const term = /^([a-z][a-z_]*(?:\.[-a-zA-Z0-9_./]+)?)\s*=\s*(?:"([^"]*)"|([^\s"=]+))$/

/**
 * Parses `field=value and field="a value"`. Empty is no term.
 *
 * @param allowed fields that may be named; `label` allows `label.<key>`
 * @throws InvalidArgument(`BAD_FILTER`) with field `filter`
 */
export function parseFilter(filter: string, allowed: readonly string[]): Term[] {
  if (filter.trim() === '') return []
  return splitTerms(filter).map((text) => {
    const match = term.exec(text.trim())
    const field = match?.[1]
    if (match === null || field === undefined) throw bad(`cannot read “${text.trim()}”: write field=value, joined by “ and ”`)
    if (!allowed.includes(field.split('.')[0] ?? '') || field.includes('.') !== (field.split('.')[0] === 'label'))
      throw bad(`unknown field “${field}”: one of ${allowed.map((name) => (name === 'label' ? 'label.<key>' : name)).join(', ')}`)
    return { field, value: match[2] ?? match[3] ?? '' }
  })
}

/** The name of a proto field in proto JSON: `vendor_id` is `vendorId`. */
export function jsonName(field: string): string {
  return field.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** ` and ` inside quotes joins nothing. */
function splitTerms(filter: string): string[] {
  return filter.split(/\s+and\s+(?=(?:[^"]*"[^"]*")*[^"]*$)/)
}

function bad(message: string) {
  return invalidArgument('BAD_FILTER', message, { field: 'filter' })
}
