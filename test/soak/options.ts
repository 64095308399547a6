import { parseArgs } from 'node:util'

export interface SoakOptions {
  /** No round begins after this. */
  readonly minutes: number
  /** The same seed gives the same sequence of decisions. */
  readonly seed: number
  /** VMs that stand at once; undefined: as many as the machine carries. */
  readonly guests: number | undefined
  readonly help: boolean
}

export const USAGE = `Usage: npm run soak -- [options]

Runs a whole system with real QEMU guests, shoots at it under load, heals it, and looks whether everything held; needs root.

  --minutes N    begin no round after this (20)
  --seed N       the sequence of decisions (one by the clock, which is printed)
  --guests N     VMs that stand at once (as many as the machine carries, at most 8)
  -h, --help     this text
`

/** @throws Error with a text for people when a word is wrong */
export function parseOptions(argv: readonly string[], now: () => number = Date.now): SoakOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      minutes: { type: 'string', default: '20' },
      seed: { type: 'string' },
      guests: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  return {
    minutes: whole('--minutes', values.minutes, 1, 24 * 60),
    seed: values.seed === undefined ? now() % 1_000_000 : whole('--seed', values.seed, 0, 2 ** 32 - 1),
    guests: values.guests === undefined ? undefined : whole('--guests', values.guests, 2, 64),
    help: values.help,
  }
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (text === '' || !Number.isInteger(value) || value < least || value > most)
    throw new Error(`${name} ${text}: a whole number from ${least} to ${most}`)
  return value
}
