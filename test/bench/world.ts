import { startRegistry } from '@berth/testing/registry'
import { busyboxImage, publish } from '../support/images.ts'
import { create, remove } from '../support/guest.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'

/** A whole Berth from the bundles that `npm start` runs, with an image that is cached: it has booted once. */
export interface World extends AsyncDisposable {
  readonly system: TestSystem
  /** Reference of the image. */
  readonly image: string
}

export async function openWorld(env: NodeJS.ProcessEnv = {}): Promise<World> {
  await using stack = new AsyncDisposableStack()
  const registry = stack.use(await startRegistry())
  const system = stack.use(await startTestSystem({ bundled: true, env: { BERTH_INSECURE_REGISTRIES: registry.host, ...env } }))
  const image = await publish(registry, 'bench', busyboxImage().image)
  await remove(system.api, (await create(system.api, 'warm-up', image)).id)
  const moved = stack.move()
  return { system, image, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}
