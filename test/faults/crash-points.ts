/** One crash point of the create of an instance, and what stands for it here. */
export interface CrashPoint {
  readonly id: string
  readonly when: string
  /** Failpoints at which a service can be cut there. */
  readonly points: readonly string[]
  /** Why there is no failpoint, or what shows the rest of it. */
  readonly note?: string
}

const both = (...steps: string[]) => steps.flatMap((step) => [`${step}.before`, `${step}.after`])
const ups = (...points: string[]) => ['instance.create', 'instance.start'].flatMap((work) => points.map((point) => `${work}.${point}`))
const callers = ['instance', 'image', 'volume']
const relays = [...callers, 'network']
const downs = ['vmm', 'clear', 'network', 'volume', 'image', 'folder', 'row']

const point = (id: string, when: string, points: readonly string[], note?: string): CrashPoint => ({
  id,
  when,
  points,
  ...(note && { note }),
})

export const CRASH_POINTS: readonly CrashPoint[] = [
  point(
    'CP-01',
    'before the accepting transaction',
    callers.map((name) => `${name}.call.before`),
  ),
  point(
    'CP-02',
    'inside it',
    callers.map((name) => `${name}.call.inside`),
  ),
  point(
    'CP-03',
    'after its commit, before the reply',
    callers.map((name) => `${name}.call.committed`),
  ),
  point(
    'CP-04',
    'after the reply, before the event is published',
    relays.map((name) => `${name}.relay.before`),
  ),
  point(
    'CP-05',
    'after publishing, before that is marked',
    relays.map((name) => `${name}.relay.published`),
  ),
  point('CP-06', 'claimed, before the first effect', [
    ...ups('image.before', 'kernel.before', 'volume.before', 'network.before'),
    ...['image.pull.resolve.before', 'volume.ensure.allocate.before', 'volume.create.make.before', 'network.port.ensure.record.before'],
  ]),
  point('CP-07', 'tag resolved, digest not recorded', ['image.pull.resolve.after', 'image.pull.record.before']),
  point('CP-08', 'during the download', ['image.pull.record.after', ...both('image.pull.download')]),
  point('CP-09', 'image in its place, not recorded', ['image.pull.publish.after', ...ups('image.after', 'kernel.after')]),
  point('CP-10', 'during the conversion', [...both('image.pull.convert'), 'image.pull.publish.before']),
  point('CP-11', 'disk made, not recorded', [
    ...['volume.ensure.clone.before', 'volume.ensure.clone.after', 'volume.create.make.after', ...both('volume.create.grant')],
    ...both('volume.create.record'),
  ]),
  point(
    'CP-12',
    'volume recorded, before it is attached',
    ['volume.ensure.allocate.after', ...both('volume.ensure.grant', 'volume.ensure.record'), ...ups('volume.after')],
    'row and lease are one transaction: there is nothing between them',
  ),
  point('CP-13', 'address recorded, no tap', ['network.port.ensure.record.after', 'network.port.ensure.tap.before']),
  point('CP-14', 'tap made, no rules', ['network.port.ensure.tap.after', 'network.port.ensure.rules.before']),
  point('CP-15', 'rules and names made, not recorded', [
    'network.port.ensure.rules.after',
    ...both('network.port.ensure.dns', 'network.port.ensure.up', 'network.port.ensure.status'),
    ...ups('network.after'),
  ]),
  point('CP-16', 'device reserved, before it is unbound', [], 'devices are not bound yet'),
  point('CP-17', 'between unbind and bind', [], 'devices are not bound yet'),
  point('CP-18', 'config disk written', ups('record.before', 'record.after', 'config.before', 'config.after')),
  point('CP-19', 'run folder and control group made', ups('vmm.before'), 'they are made by the shim, within the step'),
  point('CP-20', 'VMM started, its pid not recorded', ups('vmm.after')),
  point('CP-21', 'VMM up, before its VM is made', ups('boot.before'), 'QEMU makes process and VM in one, held'),
  point('CP-22', 'VM made, before it boots', [], 'as CP-21'),
  point('CP-23', 'booted, RUNNING not recorded', ups('boot.after', 'port.before', 'port.after', 'running.before')),
  point('CP-24', 'RUNNING recorded, before event and answer', ups('running.after')),
  point('CP-25', 'waiting for the agent', ups('agent.before', 'agent.after')),
  point('CP-26', 'in the undoing', both(...downs.map((step) => `instance.undo.${step}`))),
  point('CP-27', 'a delete comes at each of them', [
    ...both(...downs.map((step) => `instance.delete.${step}`)),
    ...both(...['mark', 'revoke', 'remove', 'forget'].map((step) => `volume.release.${step}`)),
    ...both(...['mark', 'tap', 'rules', 'dns', 'remove'].map((step) => `network.port.release.${step}`)),
  ]),
  point('CP-28', 'the host reboots', [], 'what is of an old boot is known by its boot id, whatever step it was made in'),
  point('CP-29', 'database or broker lost', [], 'as a step that fails: tested by taking them away under load'),
  point('CP-30', 'two believe they own it', [], 'stopped by a signal at a stalled step rather than by a failpoint: fencing.test.ts'),
  point('CP-31', 'a step never succeeds', [], 'create.test.ts: each point of a create fails for good'),
  point('CP-32', 'upgrade between steps', [], 'there is one version of each saga yet'),
  point('stop', 'an instance is being stopped', both('instance.stop.record', 'instance.stop.ask', 'instance.stop.kill')),
  point('image', 'an image is being deleted', both('image.delete.remove', 'image.delete.record')),
]

/** Points that every create passes, in all services. */
export const ON_CREATE = /^(instance\.create|image\.pull|volume\.ensure|network\.port\.ensure)\./
const ON_DELETE = /^(instance\.delete|volume\.release|network\.port\.release)\./

/**
 * What is done at which points. kill: the service ends there at once, and is started again. error: the step fails. delete: the work is held there and
 * its resource deleted. again: held there, and two more deletes of its name come.
 *
 * Not run: a kill at a `.before` that follows directly on the `.after` of the step before it, which is the same crash, as it is after one of the steps
 * that a create does side by side; kills in a start where it shares every line with a create; a kill after the steps of an undoing that a delete takes
 * in the same lines. Several go together in one life of an instance, those of one service one after the other.
 */
export const CELLS = {
  kill: {
    create: {
      instance: [
        ...['call.before', 'call.inside', 'call.committed', 'relay.before', 'relay.published', 'create.image.before'],
        ...['create.network.after', 'create.record.after', 'create.vmm.after', 'create.boot.after', 'create.running.after'],
      ].map((name) => `instance.${name}`),
      image: ['resolve', 'record', 'download', 'convert', 'publish'].map((step) => `image.pull.${step}.after`),
      volume: [
        ...['allocate.before', 'allocate.after', 'clone.after', 'grant.after', 'record.after'].map((name) => `volume.ensure.${name}`),
        ...['volume.relay.before', 'volume.relay.published'],
      ],
      network: [
        ...['record.before', 'record.after', 'tap.after', 'rules.after', 'dns.after', 'up.after', 'status.after'].map(
          (name) => `network.port.ensure.${name}`,
        ),
        ...['network.relay.before', 'network.relay.published'],
      ],
    },
    stop: { instance: ['record.after', 'ask.after'].map((name) => `instance.stop.${name}`) },
    start: { instance: ['record.after', 'vmm.after'].map((name) => `instance.start.${name}`) },
    delete: {
      instance: downs.map((step) => `instance.delete.${step}.after`),
      volume: ['mark', 'revoke', 'remove', 'forget'].map((step) => `volume.release.${step}.after`),
      network: ['mark', 'tap', 'rules', 'dns', 'remove'].map((step) => `network.port.release.${step}.after`),
    },
    undo: { instance: ['vmm', 'network', 'row'].map((step) => `instance.undo.${step}.after`) },
    volume: {
      volume: [
        ...['inside', 'before', 'committed'].map((name) => `volume.call.${name}`),
        'volume.create.make.after',
        'volume.create.record.after',
      ],
    },
    image: {
      image: [
        ...['before', 'inside', 'committed'].map((name) => `image.call.${name}`),
        ...['image.relay.before', 'image.relay.published', 'image.delete.remove.after', 'image.delete.record.after'],
      ],
    },
  },
  error: {
    create: ON_CREATE,
    start: /^instance\.start\./,
    stop: /^instance\.stop\./,
    delete: ON_DELETE,
    undo: /^instance\.undo\./,
    volume: /^volume\.create\./,
  },
  delete: {
    create: ON_CREATE,
    start: /^instance\.start\./,
    stop: /^instance\.stop\./,
    undo: /^instance\.undo\./,
    volume: /^volume\.create\./,
  },
  again: { create: /^(instance\.create|volume\.ensure|network\.port\.ensure)\./, delete: ON_DELETE, image: /^image\.delete\./ },
} as const

type Lists = Readonly<Record<string, readonly string[]>>

/** Lists dealt out, so that the points of one service that go together are as far apart as can be. */
export function hands(lists: Lists, count: number): string[][] {
  return Array.from({ length: count }, (_, hand) =>
    Object.values(lists).flatMap((list) => list.filter((_, index) => index % count === hand)),
  )
}

/** Whether some test cuts a service at this point. */
export function isCut(name: string): boolean {
  const killed = Object.values(CELLS.kill).flatMap((lists) => Object.values(lists as Lists).flat())
  const others = [CELLS.error, CELLS.delete, CELLS.again].flatMap((cells): RegExp[] => Object.values(cells))
  return killed.includes(name) || others.some((pattern) => pattern.test(name))
}
