import { afterEach } from 'vitest'
import { troubles } from './logs.ts'

afterEach(({ task }) => {
  if (task.result?.state === 'fail') process.stdout.write(`${task.name}: ${new Date().toISOString()}\n${troubles()}\n`)
})
