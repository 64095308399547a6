import type { Api } from '@berth/cli/api'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ExecStartSchema, Instance, InstanceSpecSchema } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { type Operation, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'

export interface ExecResult {
  readonly code: number
  readonly signal: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command in a guest, with standard input when given. */
export async function exec(
  api: Api,
  id: string,
  command: readonly string[],
  options: Omit<MessageInitShape<typeof ExecStartSchema>, '$typeName'> & { input?: string; signal?: AbortSignal } = {},
): Promise<ExecResult> {
  const { input, signal, ...start } = options
  const [stdout, stderr]: [Uint8Array[], Uint8Array[]] = [[], []]
  async function* requests() {
    yield { message: { case: 'start' as const, value: { ...start, id, command: [...command], stdin: input !== undefined } } }
    if (input === undefined) return
    yield { message: { case: 'stdin' as const, value: Buffer.from(input) } }
    yield { message: { case: 'stdinEnd' as const, value: {} } }
  }
  for await (const { message } of api.instances.execInstance(requests(), { signal })) {
    if (message.case === 'stdout') stdout.push(message.value)
    if (message.case === 'stderr') stderr.push(message.value)
    if (message.case === 'exit')
      return { code: message.value.code, signal: message.value.signal, stdout: text(stdout), stderr: text(stderr) }
  }
  throw new Error('the stream ended without an exit')
}

const text = (parts: readonly Uint8Array[]) => Buffer.concat(parts).toString()

type Spec = MessageInitShape<typeof InstanceSpecSchema>

/** Creates an instance of an image and waits until its operation has ended well. */
export async function create(api: Api, name: string, image: string, spec: Omit<Spec, 'boot' | '$typeName'> = {}): Promise<Instance> {
  const boot = { case: 'image' as const, value: { image } }
  const { instance, operation } = await api.instances.createInstance({ name, requestId: crypto.randomUUID(), spec: { ...spec, boot } })
  await ended(api, operation, OperationState.DONE)
  const { instance: now } = await api.instances.getInstance({ id: instance?.id })
  if (!now) throw new Error('no instance')
  return now
}

/** Waits for the end of an operation; fails when it ends otherwise than wanted. */
export async function ended(api: Api, operation: Operation | undefined, wanted?: OperationState): Promise<Operation> {
  if (!operation) throw new Error('no operation')
  const { operation: last } = await api.operations.waitOperation({ id: operation.id, timeout: { seconds: 120n } }, { timeoutMs: 125_000 })
  if (!last?.endTime) throw new Error(`${operation.kind} of ${operation.resourceName} had not ended: ${JSON.stringify(last?.progress)}`)
  if (wanted !== undefined && last.state !== wanted)
    throw new Error(`${last.kind} of ${last.resourceName} ended ${last.state}: ${last.error?.message}`)
  return last
}

/** Deletes an instance and waits until it is gone. */
export async function remove(api: Api, id: string): Promise<void> {
  const { operation } = await api.instances.deleteInstance({ id })
  await ended(api, operation, OperationState.DONE)
}
