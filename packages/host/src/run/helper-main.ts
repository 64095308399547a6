import type { ChildProcess } from 'node:child_process'
import type { EndedBy, FromHelper, ToHelper } from './protocol.ts'

/**
 * The helper's whole program. It is started from its own source text (`node -e`), so that it works from a source tree, from a test and from a
 * bundle alike; hence it may name nothing outside its own body but types and globals.
 */
export function helperMain(): void {
  const { spawn } = process.getBuiltinModule('node:child_process')
  // A grandchild that left the group may hold the pipes open; what it writes later is of no interest.
  const drainMs = 250
  const running = new Map<number, { child: ChildProcess; end: (by: EndedBy) => void }>()

  const tell = (message: FromHelper): void => {
    // An error means that the service is gone; `disconnect` follows and ends everything.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
  }
  const killGroup = (pid: number): void => {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // ESRCH: the group is gone already, which is what was wanted.
    }
  }

  const run = (request: Extract<ToHelper, { type: 'run' }>): void => {
    const { id, argv, env, cwd, input, timeoutMs, maxOutputBytes, dropStderr } = request
    const stdio = [input ? 'pipe' : 'ignore', 'pipe', dropStderr ? 'ignore' : 'pipe'] as const
    const child = spawn(argv[0] ?? '', argv.slice(1), { env, cwd, detached: true, stdio: [...stdio] })
    let endedBy: EndedBy = 'none'
    let told = false
    let bytes = 0
    const chunks: { stdout: Uint8Array[]; stderr: Uint8Array[] } = { stdout: [], stderr: [] }

    const end = (by: EndedBy): void => {
      if (endedBy === 'none' && child.exitCode === null && child.signalCode === null) endedBy = by
      if (child.pid !== undefined) killGroup(child.pid)
    }
    const timer = setTimeout(() => end('timeout'), timeoutMs)
    const finish = (): void => {
      if (told) return
      told = true
      clearTimeout(timer)
      running.delete(id)
      for (const stream of [child.stdout, child.stderr]) stream?.destroy()
      const [stdout, stderr] = [Buffer.concat(chunks.stdout), Buffer.concat(chunks.stderr)]
      tell({ type: 'ended', id, code: child.exitCode, signal: child.signalCode, endedBy, stdout, stderr })
    }

    child.once('error', (error: NodeJS.ErrnoException) => {
      if (told || child.pid !== undefined) return
      told = true
      clearTimeout(timer)
      running.delete(id)
      tell({ type: 'refused', id, errno: error.code ?? 'UNKNOWN', message: error.message })
    })
    if (child.pid === undefined) return
    running.set(id, { child, end })
    tell({ type: 'spawned', id, pid: child.pid })
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.on('data', (chunk: Uint8Array) => {
        const room = maxOutputBytes - bytes
        bytes += chunk.length
        if (room > 0) chunks[name].push(chunk.length > room ? chunk.subarray(0, room) : chunk)
        if (bytes > maxOutputBytes) end('output')
      })
    }
    // EPIPE: a command may end without reading its input.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
    child.once('exit', () => {
      if (child.pid !== undefined) killGroup(child.pid)
      setTimeout(finish, drainMs).unref()
    })
    child.once('close', finish)
  }

  process.on('message', (message: ToHelper) => {
    if (message.type === 'run') run(message)
    else running.get(message.id)?.end('abort')
  })
  process.on('disconnect', () => {
    for (const { end } of running.values()) end('abort')
    process.exit(0)
  })
  // A terminal's Ctrl-C reaches the whole foreground group; the service decides when its commands end.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
}
