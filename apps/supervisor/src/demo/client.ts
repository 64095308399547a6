import { readFileSync } from 'node:fs'
import { ImageService } from '@berth/proto/berth/image/v1/image_pb.ts'
import { InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { type Operation, OperationService, OperationState } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { clientOf, connectTo } from '@berth/rpc'
import { timestampMs } from '@bufbuild/protobuf/wkt'

/** What the demonstration and `--down` need of the API: an ordinary client of the gateway. */
export type DemoClient = ReturnType<typeof openDemoClient>

export function openDemoClient(gatewayPort: number, keyFile: string) {
  const transport = connectTo({ target: `127.0.0.1:${gatewayPort}`, identity: readFileSync(keyFile, 'utf8').trim() })
  return {
    images: clientOf(ImageService, transport),
    instances: clientOf(InstanceService, transport),
    operations: clientOf(OperationService, transport),
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  }
}

/**
 * Waits for the end of an operation, telling each new stage.
 *
 * @throws Error with the operation's own reason when it did not end well
 */
export async function finished(client: DemoClient, operation: Operation | undefined, signal: AbortSignal, onStage: (text: string) => void) {
  if (!operation) throw new Error('the answer had no operation')
  let last = operation
  for await (const { operation: now } of client.operations.watchOperation({ id: operation.id }, { signal })) {
    if (!now) continue
    if (now.progress?.stage && now.progress.stage !== last.progress?.stage) onStage(now.progress.stage.toLowerCase())
    last = now
    if (now.endTime) break
  }
  if (last.state !== OperationState.DONE) throw new Error(`${last.kind} failed: ${last.error?.message ?? 'no reason given'}`)
  return last
}

/** Milliseconds each stage took, by its name in lower case. */
export function stageTimes(operation: Operation): Record<string, number> {
  return Object.fromEntries(
    operation.stages.flatMap(({ stage, startTime, endTime }) =>
      startTime && endTime ? [[stage.toLowerCase(), timestampMs(endTime) - timestampMs(startTime)]] : [],
    ),
  )
}

/** Runs a command in the guest and gives back what it printed. @throws Error when it exits with another code than 0 */
export async function output(client: DemoClient, instanceId: string, command: readonly string[], signal: AbortSignal): Promise<string> {
  const decoder = new TextDecoder()
  let stdout = ''
  let stderr = ''
  let code: number | undefined
  async function* requests() {
    yield { message: { case: 'start' as const, value: { id: instanceId, command: [...command] } } }
  }
  for await (const { message } of client.instances.execInstance(requests(), { signal })) {
    if (message.case === 'stdout') stdout += decoder.decode(message.value, { stream: true })
    if (message.case === 'stderr') stderr += new TextDecoder().decode(message.value)
    if (message.case === 'exit') code = message.value.code
  }
  if (code !== 0) throw new Error(`${command.join(' ')} exited with ${code ?? 'no code'}: ${stderr.slice(0, 500)}`)
  return stdout.trimEnd()
}
