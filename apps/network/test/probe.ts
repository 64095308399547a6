import { busybox } from './busybox.ts'
import type { Namespace } from './namespace.ts'

/** Share of 10 echo requests that stay without an answer, in percent. */
export async function lossOf(from: Namespace, to: string, ...options: string[]): Promise<number> {
  const { stdout, stderr } = await from.exec(busybox, 'ping', '-c', '10', '-i', '0.1', '-W', '1', ...options, to)
  const loss = /([\d.]+)% packet loss/.exec(stdout)?.[1]
  if (loss === undefined) throw new Error(`ping said nothing: ${stderr}`)
  return Number(loss)
}

/** What a TCP server on the host answers to the guest; empty when it cannot be reached. `port` is served for that while. */
export async function answerOf(host: Namespace, from: Namespace, address: string, port: number): Promise<string> {
  const stop = new AbortController()
  const server = host.runner
    .run([busybox, 'nc', '-ll', '-p', String(port), '-e', busybox, 'echo', 'reached'], { timeoutMs: 20_000, signal: stop.signal })
    .catch(() => undefined)
  try {
    for (;;) {
      const { stdout } = await host.exec('ss', '-Hltn', `sport = :${port}`)
      if (stdout !== '') break
    }
    return (await from.exec(busybox, 'nc', '-w', '1', address, String(port))).stdout.trim()
  } finally {
    stop.abort()
    await server
  }
}
