import { fileURLToPath } from 'node:url'

/** Root of the clone. */
export const home = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')
