import { createLogger } from '@berth/telemetry'
import { readConfig } from './config.ts'
import { startService } from './service.ts'

process.title = 'berth-device'
const { config, warnings } = readConfig()
const logger = createLogger({ name: 'device', level: config.logLevel })
for (const warning of warnings) logger.warn(warning)

const stop = new AbortController()
for (const name of ['SIGTERM', 'SIGINT'] as const) {
  process.once(name, () => {
    logger.info({ signal: name }, 'stopping')
    stop.abort()
  })
}
const ended = new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }))

try {
  await using service = await startService(config, { logger, signal: stop.signal })
  await Promise.race([ended, service.lost])
  // EX_SOFTWARE: another process holds this host now; whoever starts us decides whether to try again.
  if (!stop.signal.aborted) process.exitCode = 70
} catch (error) {
  if (!stop.signal.aborted) throw error
}
