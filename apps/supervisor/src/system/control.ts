import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import readline from 'node:readline'

/** What `berth down` sends, one JSON line. */
export interface ControlCommand {
  readonly command: 'down'
  /** VMs too. */
  readonly all: boolean
}

/** Tells whoever asked how far it is; `end` closes the line, with an error or without. */
export interface ControlReply {
  progress(text: string): void
  end(error?: string): void
}

/**
 * Listens for `berth down` on `<run>/supervisor.sock` (0600, root's). A socket left by a dead supervisor is taken over; the caller holds the lock.
 *
 * @param handle is called once per command, with the way to answer it
 */
export async function listenForControl(runDir: string, handle: (command: ControlCommand, reply: ControlReply) => void) {
  const file = path.join(runDir, 'supervisor.sock')
  mkdirSync(runDir, { recursive: true, mode: 0o755 })
  rmSync(file, { force: true })
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined)
    readline.createInterface({ input: socket }).on('line', (line) => {
      const say = (message: object) => void (socket.writable && socket.write(`${JSON.stringify(message)}\n`))
      const command = parseCommand(line)
      if (!command) return void socket.end(`${JSON.stringify({ error: 'unknown command' })}\n`)
      handle(command, {
        progress: (text) => say({ progress: text }),
        end: (error) => void socket.end(`${JSON.stringify(error ? { error } : { done: true })}\n`),
      })
    })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(file, resolve))
  chmodSync(file, 0o600)
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      await new Promise((resolve) => server.close(resolve))
      rmSync(file, { force: true })
    },
  }
}

function parseCommand(line: string): ControlCommand | undefined {
  try {
    const parsed = JSON.parse(line) as { command?: unknown; all?: unknown }
    return parsed.command === 'down' ? { command: 'down', all: parsed.all === true } : undefined
  } catch {
    return undefined
  }
}
