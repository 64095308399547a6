import { setTimeout as delay } from 'node:timers/promises'
import type { Agent, AgentInfo, Vm, WorkloadReport } from '../domain/ports.ts'

/** What is known of a guest's agent; kept in memory only: it can be asked again. */
export type AgentView = {
  /** The session; undefined while there is none. */
  agent?: Agent
  /** What it said when its session opened. */
  info?: AgentInfo
  workload?: WorkloadReport
  /** Since when there is no session, in Unix milliseconds; 0 while there is one. */
  missingSinceMs: number
}

export type AgentKeeper = {
  readonly view: AgentView
  /** The session, waiting for it until the signal fires. */
  ready(signal: AbortSignal): Promise<Agent>
}

/** A session that gets no first answer is given up after this, for one on a fresh port. */
const attemptMs = 30_000
const pauseMs = { first: 20, longest: 1_000 }

/** Keeps one session with a VM's agent: opens it, opens it again when it is lost, and tells of changes. Ends with the signal. */
export function keepAgent(vm: Vm, changed: () => void, signal: AbortSignal): AgentKeeper {
  const view: AgentView = { missingSinceMs: Date.now() }
  let arrival = Promise.withResolvers<Agent>()
  void keep()

  async function keep(): Promise<void> {
    for (let pause = pauseMs.first; !signal.aborted; pause = Math.min(pause * 2, pauseMs.longest)) {
      const agent = await open()
      if (agent) {
        pause = pauseMs.first
        await hold(agent)
      }
      // Ended by the signal alone.
      await delay(pause, undefined, { signal }).catch(() => {})
    }
  }

  async function open(): Promise<Agent | undefined> {
    const attempt = AbortSignal.any([signal, AbortSignal.timeout(attemptMs)])
    try {
      const agent = await vm.agent(attempt)
      view.info = await agent.info(attempt)
      view.workload = view.info.workload
      Object.assign(view, { agent, missingSinceMs: 0 })
      arrival.resolve(agent)
      changed()
      return agent
    } catch {
      // No agent yet, or a guest that has none: the next attempt follows, and the controller says how long it has been.
      return undefined
    }
  }

  async function hold(agent: Agent): Promise<void> {
    const ended = new AbortController()
    const over = AbortSignal.any([signal, ended.signal])
    const watching = watchWorkload(agent, over)
    await Promise.race([agent.closed, new Promise<void>((resolve) => over.addEventListener('abort', () => resolve(), { once: true }))])
    ended.abort()
    agent.close()
    await watching
    Object.assign(view, { agent: undefined, missingSinceMs: Date.now() })
    arrival = Promise.withResolvers<Agent>()
    changed()
  }

  async function watchWorkload(agent: Agent, over: AbortSignal): Promise<void> {
    try {
      for await (const report of agent.watchWorkload(over)) {
        if (same(report, view.workload)) continue
        view.workload = report
        changed()
      }
    } catch {
      // The session is gone, or the agent does not tell: what it told last stands.
    }
  }

  return {
    view,
    async ready(until) {
      if (view.agent) return view.agent
      const given = Promise.withResolvers<never>()
      const giveUp = (): void => given.reject(until.reason)
      until.addEventListener('abort', giveUp, { once: true })
      try {
        until.throwIfAborted()
        return await Promise.race([arrival.promise, given.promise])
      } finally {
        until.removeEventListener('abort', giveUp)
      }
    },
  }
}

function same(a: WorkloadReport, b: WorkloadReport | undefined): boolean {
  return (
    a.state === b?.state && a.exitCode === b.exitCode && a.signal === b.signal && a.startError === b.startError && a.starts === b.starts
  )
}
