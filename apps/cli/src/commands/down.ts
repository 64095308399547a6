import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import readline from 'node:readline'
import { command, switchFlag, type Work } from '../command.ts'
import { Exit } from '../exit.ts'

export const down = command<{ readonly all: boolean }>({
  brief: 'Stop the services of this host; with --all its VMs too',
  full: 'Without --all the VMs keep running and are found again by the next start. With --all it also works when no service runs.',
  flags: { all: switchFlag('Stop the VMs and take down what they needed') },
  async run(work, flags) {
    const socket = await connectToSupervisor(path.join(work.cli.env.runDir, 'supervisor.sock'))
    if (socket) await askSupervisor(work, socket, flags.all)
    else if (flags.all && mayHaveLeft(work.cli.env.dataDir)) await takeDownWithoutServices(work)
    else work.out.line('nothing runs on this host')
  },
})

/** Asks the supervisor of this host, over its socket, to end; shows what it says until it is gone. */
async function askSupervisor({ cli, out, signal }: Work, socket: net.Socket, all: boolean): Promise<void> {
  signal.addEventListener('abort', () => socket.destroy())
  socket.write(`${JSON.stringify({ command: 'down', all })}\n`)
  let failed: string | undefined = 'the supervisor went away before it had said that it was done'
  for await (const line of readline.createInterface({ input: socket })) {
    const said = JSON.parse(line) as { readonly progress?: string; readonly error?: string; readonly done?: boolean }
    if (said.progress) cli.process.stderr.write(`${said.progress}\n`)
    if (said.error) failed = said.error
    if (said.done) failed = undefined
  }
  if (failed) throw new Error(failed)
  out.line(all ? 'berth is down, and its VMs' : 'berth is down; VMs keep running')
}

/** Folders of VMs, or the mark of a Postgres that was not stopped: something may still run. */
function mayHaveLeft(dataDir: string): boolean {
  const vms = path.join(dataDir, 'instance')
  if (existsSync(vms) && readdirSync(vms).some((name) => name.startsWith('ins_'))) return true
  return existsSync(path.join(dataDir, 'postgres/db/postmaster.pid'))
}

/** VMs outlive the services: to stop them in order the services are started once more. */
async function takeDownWithoutServices({ cli, out }: Work): Promise<void> {
  const bundled = import.meta.url.endsWith('.mjs')
  const entry = bundled ? path.join(import.meta.dirname, 'supervisor.mjs') : path.join(cli.env.home, 'apps/supervisor/src/start.ts')
  const child = spawn(process.execPath, [entry, '--down'], { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Exit(code ?? 1)
  out.line('berth is down, and its VMs')
}

/** Undefined when nobody listens. */
function connectToSupervisor(file: string): Promise<net.Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(file)
    socket.once('connect', () => resolve(socket))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined)
      else reject(error)
    })
  })
}
