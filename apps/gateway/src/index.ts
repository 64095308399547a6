export { ensureAdminKey } from './admin-key.ts'
export { type GatewayConfig, readConfig } from './config.ts'
export { type GatewayService, startService, version } from './service.ts'
