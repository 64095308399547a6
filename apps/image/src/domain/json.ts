/** A JSON object of unknown content. */
export type Json = Record<string, unknown>

/** Makes the error that is thrown for JSON that is not as it must be. */
export type Refusal = (why: string) => Error

/** Parses strict UTF-8 JSON whose top is an object. */
export function parseJson(bytes: Uint8Array, refused: Refusal): Json {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw refused('it is no JSON')
  }
  return objectOf(value, 'document', refused)
}

export function objectOf(value: unknown, what: string, refused: Refusal): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw refused(`“${what}” is no object`)
}

export function arrayOf(value: unknown, what: string, refused: Refusal): unknown[] {
  if (Array.isArray(value)) return value
  throw refused(`“${what}” is no list`)
}

/** A text without NUL, or empty when absent. */
export function textOf(value: unknown, what: string, refused: Refusal): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string' && !value.includes('\0')) return value
  throw refused(`“${what}” is no text`)
}

/** A list of such texts, empty when absent. */
export function textsOf(value: unknown, what: string, refused: Refusal): string[] {
  if (value === undefined || value === null) return []
  return arrayOf(value, what, refused).map((entry) => {
    if (typeof entry !== 'string') throw refused(`“${what}” holds what is no text`)
    return textOf(entry, what, refused)
  })
}
