import { command } from '../command.ts'
import { describeError } from '../exit.ts'
import { VERSION } from '../version.ts'

export const version = command({
  brief: 'Show the versions of client and server',
  async run(work) {
    let server = ''
    let problem = ''
    try {
      server = (await work.api.access.getCaller({}, { signal: work.signal, timeoutMs: 3000 })).serverVersion
    } catch (error) {
      problem = describeError(error)
    }
    const shown = { client: VERSION, server: server || null, ...(problem ? { problem } : {}) }
    work.out.value(shown, `client ${VERSION}\nserver ${server || `<unknown> (${problem})`}`)
  },
})
