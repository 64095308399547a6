export { impassableParents, serverAccount } from './account.ts'
export { type EmbeddedNatsOptions, findNatsServer, startEmbeddedNats } from './nats.ts'
export { type EmbeddedPostgresOptions, type EmbeddedServer, startEmbeddedPostgres } from './postgres.ts'
