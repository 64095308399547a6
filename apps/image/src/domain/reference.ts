import { invalidArgument } from '@berth/errors'
import { type Digest, parseDigest } from './digest.ts'

/** A parsed image reference. */
export interface Reference {
  /** Host and port as they stand in the reference, `docker.io` when it names none. */
  registry: string
  /** Repository, with `library/` added for Docker Hub's own images. */
  repository: string
  /** Tag; `latest` when neither tag nor digest is given, undefined when a digest alone is. */
  tag: string | undefined
  /** Digest; counts before the tag. */
  digest: Digest | undefined
}

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`)
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-fA-F:.]{2,45}\\])(?::([0-9]{1,5}))?$`)

/**
 * Parses `[registry/]repository[:tag][@digest]` by the rules of Docker's reference grammar.
 *
 * @throws InvalidArgument(`REFERENCE_INVALID` | `DIGEST_INVALID`), field `reference`
 */
export function parseReference(text: string): Reference {
  if (text.length > 512) throw refused('is longer than 512 characters')
  const at = text.indexOf('@')
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1))
  const named = at < 0 ? text : text.slice(0, at)
  const { registry, rest } = splitRegistry(named)
  const colon = rest.indexOf(':')
  const path = colon < 0 ? rest : rest.slice(0, colon)
  const tag = colon < 0 ? undefined : rest.slice(colon + 1)
  if (tag !== undefined && !TAG.test(tag)) throw refused('has a tag that is none')
  if (!REPOSITORY.test(path) || path.length > 255)
    throw refused('has a repository name that is none (lower case, digits, single separators)')
  const repository = registry === 'docker.io' && !path.includes('/') ? `library/${path}` : path
  return { registry, repository, tag: tag ?? (digest ? undefined : 'latest'), digest }
}

/** The first part is a registry when it looks like a host: it has a dot or a port, or is `localhost`. */
function splitRegistry(named: string): { registry: string; rest: string } {
  const slash = named.indexOf('/')
  const first = slash < 0 ? '' : named.slice(0, slash)
  const isHost = first === 'localhost' || /[.:[\]]/.test(first) || first !== first.toLowerCase()
  if (!isHost) return { registry: 'docker.io', rest: named }
  const port = HOST.exec(first)
  if (!port || Number(port[1] ?? 1) < 1 || Number(port[1] ?? 1) > 65_535) throw refused('names a registry that is no host')
  const registry = first.toLowerCase()
  return { registry: registry === 'index.docker.io' ? 'docker.io' : registry, rest: named.slice(slash + 1) }
}

const refused = (why: string) => invalidArgument('REFERENCE_INVALID', `the image reference ${why}`, { field: 'reference' })

/** The one spelling of a reference, with registry, repository and tag or digest in full. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${digest ? `@${digest}` : `:${tag}`}`
}

/** What a registry is asked for: the digest if there is one, else the tag. */
export const wanted = (reference: Reference): string => reference.digest ?? reference.tag ?? 'latest'

/** A resource name from the repository's last part: what names do not allow becomes a hyphen. */
export function nameOf({ repository }: Reference): string {
  const last = repository.split('/').at(-1) ?? ''
  const name = last.replace(/[^a-z0-9]+/g, '-').slice(0, 40)
  return (/^[a-z]/.test(name) ? name : `image-${name}`).replace(/-+$/, '')
}
