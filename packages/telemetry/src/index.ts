export { createLogger, type Logger, type LoggerOptions, type LogLevel } from './logger.ts'
export { type Counter, createMetrics, type Gauge, type Histogram, type Labels, type Metrics } from './metrics.ts'
export { redactText } from './redact.ts'
export { type HealthOptions, type HealthServer, serveHealth } from './serve-health.ts'
