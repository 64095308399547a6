import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Where guests find the listener; only a masqueraded address has a way back from there. */
export const UPLINK = { host: '198.18.0.1', listener: '198.18.0.2', port: 9000 } as const

/** What came on one connection of a guest. */
export interface Arrival {
  readonly connection: number
  readonly text: string
  readonly timeMs: number
}

/** A network beyond the host's: a listener in a namespace of its own at the other end of a veth pair. */
export interface Uplink extends Disposable {
  readonly arrivals: readonly Arrival[]
  /** Connections that have ended. */
  readonly ended: ReadonlySet<number>
  /** Sends a line to the guest's end of a connection. */
  send(connection: number, line: string): void
}

/** Tells what arrives on standard output; a line `<connection> <text>` on standard input goes to that connection. */
const LISTENER = `
const net = require('node:net'), sockets = new Map()
let last = 0
const tell = (message) => process.stdout.write(JSON.stringify(message) + '\\n')
net.createServer((socket) => {
  const connection = ++last
  sockets.set(connection, socket)
  require('node:readline').createInterface({ input: socket }).on('line', (text) => tell({ connection, text, timeMs: Date.now() }))
  socket.on('error', () => {}).on('close', () => tell({ connection, ended: true }))
}).listen(${UPLINK.port}, '${UPLINK.listener}', () => tell({ listening: true }))
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [connection, ...words] = line.split(' ')
  sockets.get(Number(connection))?.write(words.join(' ') + '\\n')
})`

/** Makes it beside the namespace the test runs in. */
export async function openUplink(): Promise<Uplink> {
  const inside = `read ready; ip link set lo up; ip addr add ${UPLINK.listener}/30 dev berth-far; ip link set berth-far up; exec "$0" -e "$1"`
  const argv = ['--pdeathsig', 'KILL', 'unshare', '--net', 'sh', '-c', inside, process.execPath, LISTENER]
  const child: ChildProcess = spawn('setpriv', argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ip = (...words: string[]) => execFileSync('ip', words)
  const arrivals: Arrival[] = []
  const ended = new Set<number>()
  try {
    await untilApart(child.pid ?? 0)
    ip('link', 'add', 'berth-near', 'type', 'veth', 'peer', 'name', 'berth-far', 'netns', `${child.pid}`)
    ip('addr', 'add', `${UPLINK.host}/30`, 'dev', 'berth-near')
    ip('link', 'set', 'berth-near', 'up')
    child.stdin?.write('ready\n')
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    const listening = once(lines, 'line')
    lines.on('line', (line) => {
      const message = JSON.parse(line) as Arrival & { ended?: boolean; listening?: boolean }
      if (message.ended) ended.add(message.connection)
      else if (!message.listening) arrivals.push(message)
    })
    await listening
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  return {
    arrivals,
    ended,
    send: (connection, line) => void child.stdin?.write(`${connection} ${line}\n`),
    // The namespace goes with its last process, and the pair with it.
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  }
}

async function untilApart(pid: number): Promise<void> {
  const own = namespaceOf('self')
  while (namespaceOf(`${pid}`) === own) await new Promise((resolve) => setTimeout(resolve, 5))
}

function namespaceOf(pid: string): string {
  return execFileSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' }).trim()
}
