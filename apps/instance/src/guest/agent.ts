import { type AgentService, type GetInfoResponse, WorkloadState, type WorkloadStatus } from '@berth/proto/berth/guest/v1/guest_pb.ts'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import type { Client } from '@connectrpc/connect'
import type { Agent, AgentInfo, WorkloadReport } from '../domain/ports.ts'
import { asAgentError } from './errors.ts'
import { execOver } from './exec.ts'

/** Bound of every unary call to an agent. */
const unaryMs = 5_000
const longestText = 4096

type Session = { closed: Promise<void>; close(): void }

/** The port's form of an agent's client: bounded in time and size, errors in our words. */
export function agentOver(client: Client<typeof AgentService>, { closed, close }: Session): Agent {
  return {
    closed,
    close,
    exec: (requests, signal) => execOver(client, requests, signal),
    info: (signal) => translated(signal, async () => toInfo(await client.getInfo({}, { signal, timeoutMs: unaryMs }))),
    shutdown: (graceMs, signal) =>
      translated(
        signal,
        async () => void (await client.shutdown({ gracePeriod: durationFromMs(graceMs) }, { signal, timeoutMs: unaryMs })),
      ),
    async *watchWorkload(signal) {
      const ended = new AbortController()
      try {
        for await (const { workload } of client.watchWorkload({}, { signal: AbortSignal.any([signal, ended.signal]) })) {
          if (workload) yield toReport(workload)
        }
      } catch (error) {
        throw asAgentError(error, signal)
      } finally {
        // Leaving a for-await does not end a call of Connect's.
        ended.abort()
      }
    },
  }
}

async function translated<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw asAgentError(error, signal)
  }
}

function toInfo(info: GetInfoResponse): AgentInfo {
  return {
    version: cut(info.agentVersion),
    bootId: cut(info.bootId),
    kernelRelease: cut(info.kernelRelease),
    instanceId: cut(info.instanceId),
    warnings: info.warnings.slice(0, 32).map(cut),
    workload: info.workload ? toReport(info.workload) : { state: 'none', exitCode: 0, signal: 0, startError: '', starts: 0 },
  }
}

const states: Record<number, WorkloadReport['state']> = {
  [WorkloadState.RUNNING]: 'running',
  [WorkloadState.EXITED]: 'exited',
  [WorkloadState.START_FAILED]: 'start-failed',
}

function toReport({ state, exitCode, signal, startError, starts }: WorkloadStatus): WorkloadReport {
  return { state: states[state] ?? 'none', exitCode, signal, startError: cut(startError), starts }
}

/** A stranger's text: short and without control characters. */
function cut(text: string): string {
  return text.slice(0, longestText).replaceAll(/\p{Cc}/gu, '?')
}
