import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits until every service says that it is ready.
 *
 * @param probes base URL of the health listener by service
 * @throws Error naming those that are not, with what they said last, when `timeoutMs` is over or the signal fires
 */
export async function untilReady(probes: ReadonlyMap<string, string>, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const waiting = new Map([...probes].map(([name]) => [name, 'no answer yet']))
  const deadline = Date.now() + timeoutMs
  while (waiting.size > 0) {
    await Promise.all(
      [...waiting.keys()].map(async (name) => {
        const said = await ask(`${probes.get(name)}/readyz`, signal)
        if (said === undefined) waiting.delete(name)
        else waiting.set(name, said)
      }),
    )
    if (waiting.size === 0) return
    signal.throwIfAborted()
    if (Date.now() > deadline) throw new Error(`not ready: ${[...waiting].map(([name, said]) => `${name} (${said})`).join(', ')}`)
    await delay(25, undefined, { signal })
  }
}

async function ask(url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(2000)]) })
    return answer.ok ? undefined : (await answer.text()).slice(0, 300)
  } catch (error) {
    const cause = (error as Error).cause
    return cause instanceof Error ? cause.message : (error as Error).message
  }
}
