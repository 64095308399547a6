import { parseArgs } from 'node:util'

/** What `npm start -- …` was asked for. */
export interface StartOptions {
  /** Run the demonstration, end everything that was started, exit. */
  readonly once: boolean
  /** Print one JSON object as the last line. */
  readonly json: boolean
  /** Reference of the image to run; undefined: a small one is built. */
  readonly image?: string
  /** Only bring the system up; no demonstration. */
  readonly bare: boolean
  /** Stop every VM of this host and take down what they needed, then exit. */
  readonly down: boolean
  readonly help: boolean
}

export const USAGE = `Usage: npm start -- [options]

Starts Berth on this host and shows a first VM.

  --once          show the first VM, end everything this start made, exit 0
  -o json         print outputs and timings as one JSON object, the last line
  --image REF     run this image instead of a small one made here, e.g. docker.io/library/alpine
  --bare          only start the services
  --down          stop every VM of this host and what they needed, then exit
  -h, --help      this text
`

/**
 * Reads the command line.
 *
 * @throws Error with a text for people when a word is wrong
 */
export function parseOptions(argv: readonly string[]): StartOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      once: { type: 'boolean', default: false },
      output: { type: 'string', short: 'o' },
      image: { type: 'string' },
      bare: { type: 'boolean', default: false },
      down: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.output !== undefined && values.output !== 'json' && values.output !== 'text')
    throw new Error(`-o ${values.output}: json or text`)
  if (values.bare && values.image) throw new Error('--bare runs no image')
  return {
    once: values.once,
    json: values.output === 'json',
    image: values.image,
    bare: values.bare,
    down: values.down,
    help: values.help,
  }
}
