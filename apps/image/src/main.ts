import { createLogger } from '@berth/telemetry'
import { readConfig } from './config.ts'
import { startService } from './service.ts'

process.title = 'berth-image'
const { config, warnings } = readConfig()
const logger = createLogger({ name: 'image', level: config.logLevel })
for (const warning of warnings) logger.warn(warning)

const stop = new AbortController()
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort(new Error(name)))
try {
  await using service = await startService(config, { logger, signal: stop.signal })
  logger.info({ port: service.port }, 'serving')
  const ended = AbortSignal.any([stop.signal, service.overtaken])
  if (!ended.aborted) await new Promise((resolve) => ended.addEventListener('abort', resolve, { once: true }))
  logger.info('stopping')
  if (service.overtaken.aborted) process.exitCode = 70
} catch (error) {
  if (!stop.signal.aborted) throw error
}
