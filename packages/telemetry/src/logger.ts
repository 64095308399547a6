import { type DestinationStream, destination, type Logger as PinoLogger, pino, stdSerializers } from 'pino'
import { redactText, secretKeys } from './redact.ts'

export type Logger = PinoLogger
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

const waitingBytes = 1024 * 1024

export type LoggerOptions = {
  /** Who writes, e.g. `image`. */
  name: string
  /** Lowest level that is written; default `info`. */
  level?: LogLevel
  /** Where lines go; default standard error, written at once so that a crash loses none. */
  stream?: DestinationStream
}

/** Makes a logger of JSON lines. Tokens, passwords and credentials in URLs are taken out of keys and texts. */
export function createLogger({ name, level = 'info', stream }: LoggerOptions): Logger {
  return pino(
    {
      name,
      level,
      base: { name, pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretKeys.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
      serializers: { err: redactedError, error: redactedError },
      hooks: {
        logMethod(args, method) {
          for (const [index, value] of args.entries()) if (typeof value === 'string') args[index] = redactText(value)
          method.apply(this, args)
        },
      },
    },
    stream ?? standardError(),
  )
}

/** Lines that cannot be written, on a full disk, wait up to a bound and are then lost: nobody's service ends for its log. */
function standardError(): DestinationStream {
  const stream = destination({ dest: 2, sync: true, maxLength: waitingBytes })
  stream.on('error', () => undefined)
  return stream
}

function redactedError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? redactText(error) : error
  return JSON.parse(redactText(JSON.stringify(stdSerializers.errWithCause(error))))
}
