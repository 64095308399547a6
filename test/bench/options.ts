import { parseArgs } from 'node:util'

/** What can be measured, in the order it is. */
export const PARTS = ['create', 'recorder', 'exec', 'memory'] as const
export type Part = (typeof PARTS)[number]

export interface BenchOptions {
  /** Alternating pairs of the rows that have a rival. */
  readonly pairs: number
  readonly parts: readonly Part[]
  /** Print one JSON object instead of tables. */
  readonly json: boolean
  readonly help: boolean
}

export const USAGE = `Usage: npm run bench -- [options]

Measures Berth against rivals in the same run; needs root. test/bench/README.md says what each row means.

  --pairs N      alternating pairs of a create and its rival (30)
  --only LIST    some of ${PARTS.join(',')} (all)
  -o json        print one JSON object, samples included
  -h, --help     this text
`

/** @throws Error with a text for people when a word is wrong */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      pairs: { type: 'string', default: '30' },
      only: { type: 'string', default: PARTS.join(',') },
      output: { type: 'string', short: 'o', default: 'table' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const pairs = Number(values.pairs)
  if (!Number.isInteger(pairs) || pairs < 1 || pairs > 1000) throw new Error(`--pairs ${values.pairs}: a whole number from 1 to 1000`)
  const wanted = values.only.split(',')
  const unknown = wanted.filter((name) => !(PARTS as readonly string[]).includes(name))
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(',')}: parts are ${PARTS.join(',')}`)
  if (values.output !== 'json' && values.output !== 'table') throw new Error(`-o ${values.output}: table or json`)
  return { pairs, parts: PARTS.filter((name) => wanted.includes(name)), json: values.output === 'json', help: values.help }
}
