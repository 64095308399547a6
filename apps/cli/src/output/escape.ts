/**
 * Makes text of a stranger fit for a terminal: control characters (C0 but tab and newline, DEL, C1) become `\xNN`, so no escape sequence
 * of a guest reaches the terminal. `keepLines` leaves newlines and carriage returns as they are.
 */
export function escapeText(text: string, keepLines = false): string {
  let escaped = ''
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0
    const isLine = char === '\n' || char === '\r'
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0)
    escaped += isControl && char !== '\t' && !(keepLines && isLine) ? `\\x${code.toString(16).padStart(2, '0')}` : char
  }
  return escaped
}
