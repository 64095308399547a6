import { defineSteps } from '@berth/controller'

/** A disk for an owner: the row and the writer's lease, the file, its owner on the host, and what came of it. */
export const ensureStep = defineSteps('volume.ensure', ['allocate', 'clone', 'grant', 'record'])
/** A volume of the project; its row is made by the call. */
export const createStep = defineSteps('volume.create', ['make', 'grant', 'record'])
/** A disk back from its owner, or away for good. */
export const releaseStep = defineSteps('volume.release', ['mark', 'revoke', 'remove', 'forget'])
