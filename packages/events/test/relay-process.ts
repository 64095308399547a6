// A relay that dies when the broker has the events and nothing is marked: `node relay-process.ts <database url> <nats url>`.
import { cutPoints, openDatabase } from '@berth/db'
import { createLogger } from '@berth/telemetry'
import { openEvents } from '../src/index.ts'

const [url = '', natsUrl = ''] = process.argv.slice(2)
cutPoints(async (point) => {
  if (point === 'relay.published') process.kill(process.pid, 'SIGKILL')
})
openEvents({ db: openDatabase({ url, schema: 'volume' }), natsUrl, logger: createLogger({ name: 'relay', level: 'silent' }) })
setInterval(() => {}, 60_000)
