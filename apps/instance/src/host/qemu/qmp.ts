import { connect } from 'node:net'
import { failedPrecondition, unavailable } from '@berth/errors'

/** A monitor of one QEMU. What becomes of the VM is the shim's to hear, on a monitor of its own: this one may be closed when it happens. */
export type Qmp = {
  /** @throws FailedPrecondition(`VMM_REFUSED`) with QEMU's text; Unavailable(`VMM_UNREACHABLE`) when it does not answer in time or is gone */
  execute(command: string, parameters?: Record<string, unknown>): Promise<unknown>
  readonly closed: boolean
  close(): void
}

type Waiting = { resolve: (value: unknown) => void; reject: (error: Error) => void; timer: NodeJS.Timeout }
/** An event of the VMM, e.g. `VSERPORT_CHANGE`. */
export type QmpEvent = { event: string; data?: Record<string, unknown> }
type Message = {
  event?: string
  data?: Record<string, unknown>
  id?: number
  return?: unknown
  error?: { class: string; desc: string }
  QMP?: unknown
}

/** A VMM in a guest's hands could answer without end. */
const longestLine = 1024 * 1024

export type QmpOptions = {
  /** Bound of the connection and of every command; default 5 s. */
  timeoutMs?: number
  onEvent?: (event: QmpEvent) => void
}

/** Connects to a monitor's socket and leaves its negotiation mode. */
export async function openQmp(path: string, { timeoutMs = 5_000, onEvent }: QmpOptions = {}): Promise<Qmp> {
  const socket = connect(path)
  const waiting = new Map<number, Waiting>()
  let [lastId, text, gone] = [0, '', false]

  function end(reason: string): void {
    if (gone) return
    gone = true
    socket.destroy()
    for (const { reject, timer } of waiting.values()) {
      clearTimeout(timer)
      reject(unavailable('VMM_UNREACHABLE', reason))
    }
    waiting.clear()
  }

  function execute(command: string, parameters?: Record<string, unknown>): Promise<unknown> {
    if (gone) return Promise.reject(unavailable('VMM_UNREACHABLE', 'the monitor of the VMM is closed'))
    const id = ++lastId
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => end(`the VMM did not answer ${command} within ${timeoutMs} ms`), timeoutMs)
      waiting.set(id, { resolve, reject, timer })
      socket.write(`${JSON.stringify({ execute: command, arguments: parameters, id })}\n`)
    })
  }

  function receive(message: Message): void {
    if (message.event !== undefined) onEvent?.({ event: message.event, data: message.data })
    const answered = message.id === undefined ? undefined : waiting.get(message.id)
    if (!answered || message.id === undefined) return
    waiting.delete(message.id)
    clearTimeout(answered.timer)
    if (message.error) answered.reject(failedPrecondition('VMM_REFUSED', message.error.desc, { metadata: { class: message.error.class } }))
    else answered.resolve(message.return)
  }

  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    text += chunk
    if (text.length > longestLine) return end('the VMM sent a line without end')
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) {
      const message = parse(line)
      if (message) receive(message)
      else if (line.trim()) return end('the VMM sent what is not JSON')
    }
  })
  socket.on('error', (error) => end(`the monitor of the VMM failed: ${error.message}`))
  socket.on('close', () => end('the VMM closed its monitor'))

  await execute('qmp_capabilities')
  return {
    execute,
    get closed() {
      return gone
    },
    close: () => end('the monitor was closed'),
  }
}

function parse(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Message) : undefined
  } catch {
    return undefined
  }
}
