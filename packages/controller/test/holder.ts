// Holds a host until it is killed: `node holder.ts <url> <data folder>`; prints the epoch when it has it.
import { openDatabase } from '@berth/db'
import { createLogger } from '@berth/telemetry'
import { holdHost } from '../src/index.ts'

const [url = '', dataDir = ''] = process.argv.slice(2)
const lease = await holdHost({
  db: openDatabase({ url, schema: 'volume' }),
  dataDir,
  advertise: '127.0.0.1:7012',
  logger: createLogger({ name: 'holder', level: 'silent' }),
  signal: new AbortController().signal,
  staleMs: 900,
})
console.log(lease.epoch)
