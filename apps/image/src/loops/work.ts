import type { Operations, ReconcileContext } from '@berth/controller'
import type { Database, OperationRow } from '@berth/db'
import { cancelled } from '@berth/errors'
import type { Logger } from '@berth/telemetry'
import type { Library } from '../domain/ports.ts'
import type { ImageRow } from '../store/images.ts'
import type { Outcomes } from '../store/outcomes.ts'
import type { CopyRow } from '../store/tables.ts'

export interface ImageLoop {
  db: Database
  library: Library
  outcomes: Outcomes
  operations: Operations
  logger: Logger
}

/** One run of the loop on one image, with what was read at its beginning. */
export type Work = ImageLoop & { row: ImageRow; copy: CopyRow; pulls: OperationRow[]; ctx: ReconcileContext }

/** Whoever begins to name parts, and whoever removes what nobody names, does it under this key. */
export const PARTS = 'parts'

export const cancelledByRequest = () => cancelled('OPERATION_CANCELLED', 'the pull was cancelled')
