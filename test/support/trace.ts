import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** A process as the kernel sees it while something is asked of it. */
export interface Trace {
  /** Programs that it, or a child, started. */
  readonly started: string[]
  /** Paths of Unix sockets that it connected to. */
  readonly connected: string[]
  /** Connections it took: shows that the trace sees what happens. */
  readonly accepted: number
}

/** Follows a process with all its threads through strace while `work` runs. */
export async function traceDuring(pid: number, work: () => Promise<void>): Promise<Trace> {
  const args = ['-f', '-e', 'trace=execve,execveat,connect,accept4', '-s', '256', '-p', String(pid)]
  const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  strace.stderr.setEncoding('utf8')
  const ended = once(strace, 'close')
  let text = ''
  await new Promise<void>((resolve, reject) => {
    strace.on('error', reject)
    strace.stderr.on('data', (chunk: string) => {
      text += chunk
      if (/attached/.test(text)) resolve()
    })
    void ended.then(() => reject(new Error(`strace ended: ${text}`)))
  })
  try {
    await work()
  } finally {
    strace.kill('SIGINT')
    await ended
  }
  const all = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = '']) => found)
  return {
    started: all(/execve(?:at)?\((?:\w+, )?"([^"]*)"/g),
    connected: all(/connect\(\d+, \{sa_family=AF_UNIX, sun_path=@?"([^"]*)"/g),
    accepted: all(/(accept4)\(/g).length,
  }
}
