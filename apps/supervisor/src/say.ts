/** Progress for people, on stderr: one line that is written over on a terminal, plain lines elsewhere. */
export interface Say {
  /** What is being done at the moment. */
  step(text: string): void
  /** Something that stays on the screen. */
  line(text: string): void
}

export function sayTo(stderr: { write(text: string): unknown }, tty: boolean): Say {
  let pending = false
  const clear = tty ? '\r\x1b[K' : ''
  return {
    step(text) {
      stderr.write(tty ? `${clear}${text} …` : `${text}\n`)
      pending = tty
    },
    line(text) {
      stderr.write(`${pending ? clear : ''}${text}\n`)
      pending = false
    },
  }
}
