import { createLogger } from '@berth/telemetry'
import { readConfig } from './config.ts'
import { makeAdminKey, startService } from './service.ts'

process.title = 'berth-gateway'
const { config, warnings } = readConfig()
const logger = createLogger({ name: 'gateway', level: config.logLevel })
for (const warning of warnings) logger.warn(warning)

const at = process.argv.indexOf('--make-admin-key')
if (at >= 0) {
  await makeAdminKey(config, process.argv[at + 1])
} else {
  await using _service = await startService(config, { logger })
  const signal = await new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT']) process.once(name, resolve)
  })
  logger.info({ signal }, 'stopping')
}
