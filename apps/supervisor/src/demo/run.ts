import type { Say } from '../say.ts'
import { type DemoClient, finished, output, stageTimes } from './client.ts'
import { NONCE_PATH } from './image.ts'

/** What to show. */
export interface DemoPlan {
  readonly reference: string
  /** What the image's nonce file must say; undefined for an image of somebody else's. */
  readonly nonce?: string
}

/** What was shown: outputs of the guest and milliseconds of each step. */
export interface DemoResult {
  readonly instance: string
  readonly instanceId: string
  readonly imageId: string
  readonly outputs: { readonly uname?: string; readonly bootId?: string; readonly nonce?: string }
  readonly timingsMs: Readonly<Record<'pull' | 'convert' | 'volume' | 'network' | 'boot' | 'agent' | 'exec' | 'total', number>>
}

/**
 * Pulls the image, boots a VM of it and runs commands inside.
 *
 * @throws Error when a step fails, or when the nonce read inside the VM is not the one that was put into the image
 */
export async function runDemo(client: DemoClient, plan: DemoPlan, say: Say, signal: AbortSignal): Promise<DemoResult> {
  const started = performance.now()
  say.step(`pulling ${plan.reference}`)
  const pulled = await client.images.pullImage({ reference: plan.reference, requestId: crypto.randomUUID() }, { signal })
  const pull = await finished(client, pulled.operation, signal, (stage) => say.step(`pulling ${plan.reference}: ${stage}`))

  say.step('creating a VM')
  const created = await createInstance(client, plan.reference, signal)
  const id = created.instance?.id ?? ''
  const name = created.instance?.name ?? ''
  const create = await finished(client, created.operation, signal, (stage) => say.step(`creating ${name}: ${stage}`))
  const execStarted = performance.now()
  const outputs = await ask(client, id, plan, signal)
  const ended = performance.now()

  const pulls = stageTimes(pull)
  const creates = stageTimes(create)
  const of = (times: Record<string, number>, ...stages: string[]) => Math.round(stages.reduce((sum, stage) => sum + (times[stage] ?? 0), 0))
  return {
    instance: name,
    instanceId: id,
    imageId: pulled.image?.id ?? '',
    outputs,
    timingsMs: {
      pull: of(pulls, 'resolve', 'pull'),
      convert: of(pulls, 'convert'),
      volume: of(creates, 'volume'),
      network: of(creates, 'network'),
      boot: of(creates, 'boot'),
      agent: of(creates, 'agent'),
      exec: Math.round(ended - execStarted),
      total: Math.round(ended - started),
    },
  }
}

/** `hello`, or `hello-<random>` when that is taken by a VM of an earlier start. */
async function createInstance(client: DemoClient, image: string, signal: AbortSignal) {
  const { instances } = await client.instances.listInstances({ filter: 'name=hello' }, { signal })
  const name = instances.length === 0 ? 'hello' : `hello-${crypto.randomUUID().slice(0, 6)}`
  const spec = { boot: { case: 'image' as const, value: { image } } }
  return client.instances.createInstance({ name, spec, requestId: crypto.randomUUID() }, { signal })
}

async function ask(client: DemoClient, id: string, plan: DemoPlan, signal: AbortSignal): Promise<DemoResult['outputs']> {
  const tryOut = (command: readonly string[]) => output(client, id, command, signal)
  if (plan.nonce === undefined) {
    const uname = await tryOut(['uname', '-a']).catch(() => undefined)
    const bootId = await tryOut(['cat', '/proc/sys/kernel/random/boot_id']).catch(() => undefined)
    return { uname, bootId }
  }
  const uname = await tryOut(['uname', '-a'])
  const bootId = await tryOut(['cat', '/proc/sys/kernel/random/boot_id'])
  const nonce = await tryOut(['cat', NONCE_PATH])
  if (nonce !== plan.nonce) throw new Error(`the VM read ${nonce} where the image has ${plan.nonce}`)
  return { uname, bootId, nonce }
}
