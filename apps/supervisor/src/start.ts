import { readConfig } from './config.ts'
import { parseOptions, USAGE } from './options.ts'
import { sayTo } from './say.ts'
import { stopSignal } from './signals.ts'
import { supervise } from './supervise.ts'

process.title = 'berth-supervisor'

try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) process.stdout.write(USAGE)
  else {
    const config = readConfig()
    const say = sayTo(process.stderr, config.tty)
    await supervise(config, options, say, stopSignal(say))
  }
} catch (error) {
  process.stderr.write(`berth: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = process.exitCode || 1
}
