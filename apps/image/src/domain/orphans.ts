import { compare, type Expected, type Finding, type Found } from './audit.ts'

/** What a name in our folder looks like when it is of our making. */
const own =
  /^(blobs\/sha256\/[0-9a-f]{64}|roots\/[0-9a-f]{64}\.erofs|kernels\/[0-9a-f]{64}-[0-9a-f]{64}|tmp\/(blob|root|kernel)-[0-9a-f-]{64,129})$/

/** Something in our folder that no row names. */
export type OrphanFile = Pick<Finding, 'kind' | 'name'> & { keep: string | undefined }

/**
 * What lies in the folder for nobody; what is not of our making, or open, is to be kept.
 *
 * @param open pid of a process that has it open, by name
 */
export function orphanFiles(expected: Expected, found: Found, open: ReadonlyMap<string, number>): OrphanFile[] {
  return compare(expected, found)
    .filter(({ side }) => side === 'HOST_ONLY')
    .map(({ kind, name }) => ({ kind, name, keep: own.test(name) ? openBy(open.get(name)) : 'it does not look as if Berth had made it' }))
}

const openBy = (pid: number | undefined) => (pid === undefined ? undefined : `process ${pid} has it open`)
