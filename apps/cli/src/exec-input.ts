import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ExecInstanceRequestSchema } from '@berth/proto/berth/instance/v1/instance_pb.ts'

type Request = MessageInitShape<typeof ExecInstanceRequestSchema>

interface Options {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly interactive: boolean
  readonly tty: boolean
  readonly signal: AbortSignal
}

/**
 * What a client sends during an exec: the start, then standard input, changes of the terminal's size and the end of input.
 * `begin` opens the tap once the process runs (the terminal goes raw); `end` gives everything back.
 */
export function execInput(options: Options) {
  const { stdin, stdout, tty, interactive } = options
  const stop = new AbortController()
  const queue: Request[] = []
  let wake: (() => void) | undefined
  let ended = false

  const push = (request: Request) => {
    queue.push(request)
    if (queue.length > 16) stdin.pause()
    wake?.()
  }
  const onData = (bytes: Buffer) => push({ message: { case: 'stdin', value: bytes } })
  const onEnd = () => push({ message: { case: 'stdinEnd', value: {} } })
  const onResize = () => push({ message: { case: 'resize', value: { rows: stdout.rows || 24, columns: stdout.columns || 80 } } })

  return {
    signal: AbortSignal.any([options.signal, stop.signal]),
    begin(): void {
      if (tty) {
        stdin.setRawMode(true)
        stdout.on('resize', onResize)
      }
      if (interactive) stdin.on('data', onData).on('end', onEnd)
    },
    end(): void {
      ended = true
      stop.abort()
      wake?.()
      if (tty) {
        stdin.setRawMode(false)
        stdout.off('resize', onResize)
      }
      stdin.off('data', onData).off('end', onEnd).pause()
      stdin.unref?.()
    },
    async *messages(start: Request): AsyncGenerator<Request> {
      yield start
      while (!ended) {
        const next = queue.shift()
        if (next) {
          if (queue.length < 8 && interactive) stdin.resume()
          yield next
          continue
        }
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
