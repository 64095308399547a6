import { proposeCompletions, run } from '@stricli/core'
import { app } from './app.ts'
import { readEnvironment } from './config.ts'
import type { CliContext } from './context.ts'

const interrupt = new AbortController()
let code: number | undefined

process.on('SIGINT', () => {
  if (interrupt.signal.aborted) process.exit(130)
  interrupt.abort()
})
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

const context: CliContext = {
  process,
  env: readEnvironment(),
  signal: interrupt.signal,
  end: (wanted) => {
    code = wanted
  },
}

const [first, ...rest] = process.argv.slice(2)
if (first === '__complete') {
  const proposals = await proposeCompletions(app, rest, context)
  for (const proposal of proposals) process.stdout.write(`${proposal.completion}\n`)
} else {
  await run(app, process.argv.slice(2), context)
  const usage = typeof process.exitCode === 'number' && process.exitCode !== 0
  process.exitCode = code ?? (usage ? 2 : 0)
}
