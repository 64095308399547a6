import path from 'node:path'
import { createLogger } from '@berth/telemetry'
import { destination } from './log-file.ts'
import { writeCliContext } from './cli-context.ts'
import type { SupervisorConfig } from './config.ts'
import { type DemoClient, finished, openDemoClient } from './demo/client.ts'
import { pushDemoImage } from './demo/image.ts'
import { registryPort, startRegistry } from './demo/registry.ts'
import { reportText, whatNext } from './demo/report.ts'
import { type DemoPlan, type DemoResult, runDemo } from './demo/run.ts'
import type { StartOptions } from './options.ts'
import type { Say } from './say.ts'
import { localHostId, removeHostObjects, runningVms, stopAllVms } from './system/down.ts'
import { holdDataFolder } from './system/lock.ts'
import { type DownRequests, downRequests } from './system/requests.ts'
import { startSystem } from './system/system.ts'

const VMS_DOWN_TIMEOUT_MS = 120_000
const LIST_TIMEOUT_MS = 5_000

/**
 * What `npm start` does: the system, the demonstration, and then waiting until somebody ends it.
 *
 * @throws Error with a text for people; whatever had been started is ended by then
 */
export async function supervise(config: SupervisorConfig, options: StartOptions, say: Say, stop: AbortSignal): Promise<void> {
  using _lock = holdDataFolder(config.dataDir, config.home)
  const logger = createLogger({ name: 'supervisor', stream: destination(path.join(config.dataDir, 'logs/supervisor.log')) })
  const port = await registryPort(config.ports.gateway - 7000)
  const insecure = [config.env['BERTH_INSECURE_REGISTRIES'], `127.0.0.1:${port}`].filter(Boolean).join(',')
  const env = { ...config.env, BERTH_INSECURE_REGISTRIES: insecure }
  await using requests = await downRequests(config.runDir)
  const signal = AbortSignal.any([stop, requests.signal])

  await using stack = new AsyncDisposableStack()
  const system = stack.use(await startSystem(config, { env, say, logger, signal }))
  const endpoint = `http://127.0.0.1:${config.ports.gateway}`
  writeCliContext(config.cliConfigFile, { endpoint, tokenFile: system.adminKeyFile })
  using client = openDemoClient(config.ports.gateway, system.adminKeyFile)

  if (options.down) return await takeDown({ config, client, stack, requests, say })
  say.line(`berth is up at ${endpoint}, logs in ${path.join(config.dataDir, 'logs')}`)
  const shown = options.bare ? undefined : await demonstrate(config, options, { client, say, signal, logger, port })
  if (!options.once) await aborted(signal)
  if (requests.wantsVmsDown) return await takeDown({ config, client, stack, requests, say })
  const vms = await runningVms(client, localHostId(config.dataDir), AbortSignal.timeout(LIST_TIMEOUT_MS)).catch(() => undefined)
  say.step('stopping')
  await requests.answer(say, async (tell) => {
    await stack.disposeAsync()
    if (options.once && vms?.length === 0) await removeHostObjects(config, tell)
  })
  say.line(vms?.length === 0 ? 'stopped' : 'stopped; VMs keep running and are found again by the next start')
  if (options.once && options.json) process.stdout.write(`${JSON.stringify(shown)}\n`)
}

interface TakeDown {
  readonly config: SupervisorConfig
  readonly client: DemoClient
  readonly stack: AsyncDisposableStack
  readonly requests: DownRequests
  readonly say: Say
}

/** Everything of this host: the VMs, then the system, then what the services had put on the host. */
function takeDown({ config, client, stack, requests, say }: TakeDown): Promise<void> {
  return requests.answer(say, async (tell) => {
    await stopAllVms(client, localHostId(config.dataDir), AbortSignal.timeout(VMS_DOWN_TIMEOUT_MS), tell)
    await stack.disposeAsync()
    await removeHostObjects(config, tell)
  })
}

interface Stage {
  readonly client: DemoClient
  readonly say: Say
  readonly signal: AbortSignal
  readonly logger: ReturnType<typeof createLogger>
  readonly port: number
}

/** Shows a first VM. What it gives back is the JSON of `-o json`, which `--once` prints as its very last line. */
async function demonstrate(config: SupervisorConfig, options: StartOptions, stage: Stage): Promise<object> {
  await using stack = new AsyncDisposableStack()
  const plan = options.image ? { reference: options.image } : await demoPlan(config, stage, stack)
  const result = await runDemo(stage.client, plan, stage.say, stage.signal)
  if (options.once) await removeDemo(stage, result)
  if (!options.json) for (const line of reportText(result)) process.stdout.write(`${line}\n`)
  if (!options.once) for (const line of whatNext(result.instance)) stage.say.line(line)
  const shown = { ...result, reference: plan.reference, expectedNonce: plan.nonce }
  if (options.json && !options.once) process.stdout.write(`${JSON.stringify(shown)}\n`)
  return shown
}

async function demoPlan(config: SupervisorConfig, { say, port, logger }: Stage, stack: AsyncDisposableStack): Promise<DemoPlan> {
  say.step('building an image and pushing it to a local registry')
  const registry = stack.use(await startRegistry({ home: config.home, dataDir: config.dataDir, port, env: config.env, logger }))
  return pushDemoImage(registry, path.join(config.home, '.berth/bin/busybox'))
}

/** `--once` leaves nothing: the VM and its image go again. */
async function removeDemo({ client, say, signal }: Stage, result: DemoResult): Promise<void> {
  say.step('deleting the VM and its image')
  const instance = await client.instances.deleteInstance({ id: result.instanceId, requestId: crypto.randomUUID() }, { signal })
  await finished(client, instance.operation, signal, () => undefined)
  const image = await client.images.deleteImage({ id: result.imageId, requestId: crypto.randomUUID() }, { signal })
  await finished(client, image.operation, signal, () => undefined)
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
