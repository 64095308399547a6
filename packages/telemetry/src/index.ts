export { createLogger, type Logger, type LoggerOptions, type LogLevel } from './logger.ts'
export { redactText } from './redact.ts'
