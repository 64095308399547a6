const jwt = /\beyJ[\w-]{4,}\.[\w-]+\.[\w-]+/g
const apiKey = /\bberth_[A-Za-z0-9_-]{16,}/g
const bearer = /\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi
const urlCredentials = /\b([a-z][a-z0-9+.-]*:\/\/)([^\s/@:]*):([^\s/@]*)@/gi

/** Keys of a log line whose values are never printed, at the top and one level down. */
export const secretKeys = ['authorization', 'password', 'secret', 'token', 'apiKey', 'privateKey', 'credentials', 'cookie']

/** Takes tokens, API keys and passwords in URLs out of a text; the rest stays as it is. */
export function redactText(text: string): string {
  return text
    .replace(urlCredentials, '$1$2:[redacted]@')
    .replace(jwt, '[redacted]')
    .replace(apiKey, '[redacted]')
    .replace(bearer, '$1 [redacted]')
}
