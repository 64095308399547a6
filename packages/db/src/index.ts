export { type ClientOptions, createClient, urlAs, urlOfDatabase } from './client.ts'
export {
  afterCommit,
  type Change,
  type Database,
  databaseOf,
  type DatabaseOptions,
  type Executor,
  openDatabase,
  type Queries,
  type TransactionCounts,
  type Tx,
} from './database.ts'
export { detailTypes, statusMessage } from './error-details.ts'
export { codeOf, isConflict, isUniqueViolation, translate } from './failures.ts'
export { isId, newId, operationPrefix } from './ids.ts'
export { bindCluster, clusterOf, rememberedCluster } from './migrate/cluster.ts'
export { tableDifferences } from './migrate/differences.ts'
export { type Migrated, type MigrateOptions, migrate } from './migrate/migrate.ts'
export { rolePasswords } from './migrate/passwords.ts'
export { databaseVariable, roleOf } from './migrate/roles.ts'
export { type SchemaName, schemaNames } from './migrate/sources.ts'
export { type Accept, accept, noteOperations, openOperation, operationById, operationJson, operationMessage } from './operation.ts'
export { appendOutbox, type OutboxEntry } from './outbox.ts'
export { cutPoints, type Point, reach } from './points.ts'
export { type Made, type Request, withRequestId } from './request-id.ts'
export { AnyOf, Expression, now, type Rows, rowsOf } from './rows.ts'
export { type Fence, fence } from './store/fence.ts'
export { jsonName, parseFilter, type Term } from './store/filter.ts'
export { etagOf, type ResourceMessage, type Stored } from './store/message.ts'
export { type PageRequest, pageSizeOf, pageToken, readPageToken } from './store/page.ts'
export { type Insert, type Page, type ResourceStore, resourceStore, type SpecChange, type StoreOptions } from './store/resource-store.ts'
export {
  type CommonTables,
  commonTables,
  type JsonObject,
  type JsonValue,
  type LeaseRow,
  moment,
  type OperationRow,
  type OutboxRow,
  type StageTimes,
} from './tables/common.ts'
export { type ResourceRow, type ResourceTable, resourceTable } from './tables/resource.ts'
export { together } from './together.ts'
export { showTransactions } from './transaction-metric.ts'
export { type Accepted, type Decision, type ResourceVerbs, resourceVerbs } from './verbs.ts'
