import { setTimeout as delay } from 'node:timers/promises'
import type { Api } from '@berth/cli/api'
import { isBerthError } from '@berth/errors'
import { processIdentity } from '@berth/host'
import { type Instance, InstanceState } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { exec } from '../support/guest.ts'
import { BOUND_MS, done, insist, mayPass } from './ask.ts'

const MEMORY_BYTES = 128n << 20n
const SCRATCH_BYTES = 64n << 20n
const EXEC_MS = 15_000

/** A VM as it was when it was last looked at. */
export interface Guest {
  readonly name: string
  readonly id: string
  readonly vmm: { readonly pid: number; readonly startTicks: number }
  /** What the guest's kernel says. */
  readonly bootId: string
}

/** Makes a VM; the same request id finds the same one, whatever was killed meanwhile. @throws when the create ends otherwise than well */
export async function make(api: Api, name: string, image: string): Promise<Guest> {
  const spec = { boot: { case: 'image' as const, value: { image } }, memoryBytes: MEMORY_BYTES, scratchBytes: SCRATCH_BYTES }
  const request = { name, requestId: crypto.randomUUID(), spec }
  const { instance, operation } = await insist((options) => api.instances.createInstance(request, options))
  await done(api, operation)
  const again = await insist((options) => api.instances.createInstance(request, options))
  if (again.instance?.id !== instance?.id) throw new Error(`the request id of ${name} found ${again.instance?.id}, not ${instance?.id}`)
  return look(api, name)
}

export async function destroy(api: Api, { id, name }: { id: string; name: string }): Promise<void> {
  const requestId = crypto.randomUUID()
  const { operation } = await insist((options) => api.instances.deleteInstance({ id, requestId }, options))
  await done(api, operation)
  const left = await insist((options) => api.instances.getInstance({ id }, options)).catch((error: unknown) => error)
  if (!isBerthError(left) || left.code !== 'NOT_FOUND') throw new Error(`${name} is deleted and still there: ${String(left)}`)
}

/** Waits until a VM runs and answers, and says what it is now. @throws when that does not come */
export async function look(api: Api, name: string): Promise<Guest> {
  let last = 'nothing was answered'
  for (const end = performance.now() + BOUND_MS; performance.now() < end; await delay(500)) {
    const { instance } = await insist((options) => api.instances.getInstance({ id: name }, options))
    last = stateText(instance)
    if (!instance || instance.status?.state !== InstanceState.RUNNING) continue
    const pid = instance.status.vmmPid
    if (processIdentity(pid)?.startTicks !== Number(instance.status.vmmStartTicks)) continue
    const boot = await run(api, instance.id, ['cat', '/proc/sys/kernel/random/boot_id']).catch((error: unknown) => String(error))
    if (typeof boot === 'string') last = boot
    else return { name, id: instance.id, vmm: { pid, startTicks: Number(instance.status.vmmStartTicks) }, bootId: boot.stdout.trim() }
  }
  throw new Error(`${name} does not run and answer: ${last}`)
}

/** Whether a guest reaches its gateway. */
export async function reaches(api: Api, { id }: Guest): Promise<boolean> {
  const { stdout } = await run(api, id, ['ip', 'route', 'show', 'default'])
  const gateway = /via ([0-9.]+)/.exec(stdout)?.[1] ?? ''
  for (let attempt = 0; attempt < 10; attempt += 1)
    if ((await run(api, id, ['ping', '-c', '1', '-W', '2', gateway])).code === 0) return true
  return false
}

/** Runs commands in a guest until the signal; what is cut or refused as it may be is counted, the rest is told. */
export async function runIn(
  api: Api,
  { id, name }: Guest,
  signal: AbortSignal,
  tell: (fault: string) => void,
): Promise<{ well: number; cut: number }> {
  const seen = { well: 0, cut: 0 }
  for (let number = 0; !signal.aborted; number += 1, await delay(100)) {
    try {
      const { stdout, code } = await run(api, id, ['echo', `${name} ${number}`])
      if (stdout !== `${name} ${number}\n` || code !== 0) tell(`an exec in ${name} answered ${JSON.stringify({ stdout, code })}`)
      seen.well += 1
    } catch (error) {
      seen.cut += 1
      const left = isBerthError(error) && error.code === 'FAILED_PRECONDITION'
      if (!mayPass(error) && !left) tell(`an exec in ${name} was refused: ${String(error)}`)
    }
  }
  return seen
}

function run(api: Api, id: string, command: readonly string[]) {
  return exec(api, id, command, { signal: AbortSignal.timeout(EXEC_MS) })
}

function stateText(instance: Instance | undefined): string {
  const conditions = instance?.status?.conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`).join(', ')
  return `state ${instance?.status?.state}, ${conditions}`
}
