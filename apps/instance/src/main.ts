import { createLogger } from '@berth/telemetry'
import { readConfig } from './config.ts'
import { startService } from './service.ts'

process.title = 'berth-instance'
const { config, warnings } = readConfig()
const logger = createLogger({ name: 'instance', level: config.logLevel })
for (const warning of warnings) logger.warn(warning)

const ended = Promise.withResolvers<string>()
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => ended.resolve(name))
const service = await startService(config, { logger, signal: AbortSignal.any([]) })
service.overtaken.addEventListener('abort', () => ended.resolve('overtaken'), { once: true })
logger.info({ why: await ended.promise }, 'stopping')
await service[Symbol.asyncDispose]()
// 70 tells the supervisor that another process holds the host now.
process.exit(service.overtaken.aborted ? 70 : 0)
