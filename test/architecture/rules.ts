/** What one part of the house may import, and why not more. Names in `packages` are those of `@berth/…`; `'*'` is any. */
export type Rule = { packages: readonly string[] | '*'; reason: string }

/** One folder or file inside a service's `src`: the `@berth` packages and the neighbours it may import. */
export type InsideRule = Rule & { inside: readonly string[] | '*'; deny?: RegExp; only?: RegExp }

const BELOW = 'a package knows only those below it, so that each can be read, tested and replaced without the ones above'

export const PACKAGES: Record<string, Rule & { only?: RegExp }> = {
  proto: { packages: [], only: /^@bufbuild\//, reason: 'generated code needs the protobuf runtime and nothing else' },
  errors: { packages: [], only: /^$/, reason: 'the error vocabulary is imported by everybody, so it imports nobody and does no I/O' },
  config: { packages: ['errors'], reason: BELOW },
  telemetry: { packages: ['errors', 'config'], reason: BELOW },
  rpc: { packages: ['proto', 'errors', 'config', 'telemetry'], reason: BELOW },
  db: { packages: ['proto', 'errors', 'config', 'telemetry'], reason: BELOW },
  events: { packages: ['proto', 'db', 'errors', 'config', 'telemetry'], reason: BELOW },
  controller: { packages: ['proto', 'rpc', 'errors', 'telemetry', 'host', 'db', 'events'], reason: BELOW },
  host: { packages: ['errors', 'telemetry'], only: /^node:/, reason: 'what touches the machine stands on Node alone' },
  testing: { packages: '*', reason: '' },
}

const CLIENT = 'what talks to Berth from outside uses the API like everybody else, so that the API is enough for everybody'

export const APPS: Record<string, Rule> = {
  cli: { packages: ['proto', 'rpc', 'errors', 'config', 'telemetry'], reason: CLIENT },
  console: { packages: ['proto', 'rpc', 'errors', 'config', 'telemetry'], reason: CLIENT },
  supervisor: {
    packages: ['config', 'db', 'host', 'telemetry', 'errors', 'proto', 'rpc'],
    reason: 'the supervisor starts and migrates; what the services do, it asks of them through their API',
  },
}

const WIRE_AND_MACHINE =
  /^(@connectrpc\/|@grpc\/|drizzle-orm|postgres$|@nats-io\/|undici$|(node:)?(fs|fs\/promises|child_process|http|https|http2|tls|dgram|worker_threads)$)/
const PURE = 'the rules of a service are tested without a database, a broker, a machine or a wire: they go through ports'

/** Inside a service, by the first part of the path below `src`. Folders that are not named here are adapters. */
export const INSIDE: Record<string, InsideRule> = {
  'main.ts': {
    packages: '*',
    inside: ['config.ts', 'service.ts'],
    reason: 'main.ts goes from environment to service and handles signals; the rest is built in service.ts',
  },
  'config.ts': {
    packages: ['config', 'errors'],
    inside: [],
    only: /^(node:(path|os|url|net)$|@berth\/)/,
    reason: 'reading the environment is pure, so that it can be tested with a record',
  },
  'service.ts': { packages: '*', inside: '*', reason: '' },
  routes: {
    packages: ['proto', 'rpc', 'errors', 'events', 'controller'],
    inside: ['routes', 'domain'],
    reason: 'a route decodes, calls one verb and encodes',
  },
  // Messages are plain data that rules read and write; what carries them stays outside.
  domain: { packages: ['errors', 'proto'], inside: ['domain'], deny: WIRE_AND_MACHINE, reason: PURE },
  store: {
    packages: ['db', 'errors', 'events', 'proto'],
    inside: ['store', 'domain'],
    reason: 'the store keeps the promises of the ports in its own schema, and knows no route, loop or machine',
  },
  host: {
    packages: ['host', 'errors', 'telemetry'],
    inside: ['host', 'domain'],
    reason: 'an adapter to the machine knows the ports it serves and no database',
  },
  loops: {
    packages: ['controller', 'events', 'errors', 'telemetry', 'db'],
    inside: ['loops', 'domain', 'store'],
    reason: 'a loop calls the rules with what the store and the ports say, so that the same rules serve routes and loops',
  },
}

/** For folders of a service that INSIDE does not name, such as clients of its peers. */
export const ADAPTER: InsideRule = {
  packages: ['proto', 'rpc', 'host', 'errors', 'telemetry', 'config'],
  inside: ['domain'],
  reason: 'an adapter serves the ports of the domain and knows no route, loop or store',
}

export const LIMITS = {
  mainLines: 40,
  fileLines: 260,
}
