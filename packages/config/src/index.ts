export { knownNames, unknownNames } from './known-names.ts'
export { formatHostPort, type HostPort, parseBytes, parseDuration, parseHostPort } from './quantities.ts'
export { type Env, type Environment, readEnv } from './read-env.ts'
