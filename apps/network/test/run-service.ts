import { connect, createServer, type Socket } from 'node:net'
import { createLogger } from '@berth/telemetry'
import { readConfig } from '../src/config.ts'
import { startService } from '../src/service.ts'

// Runs the service in the namespace this process was started in, and offers its port as a Unix socket, which other namespaces reach too.
const [socket = ''] = process.argv.slice(2)
const { config } = readConfig()
await using service = await startService(config, { logger: createLogger({ name: 'network', level: config.logLevel }) })
const open = new Set<Socket>()
await using door = createServer((client) => {
  const inner = connect(service.port, '127.0.0.1')
  client.pipe(inner).pipe(client)
  open.add(client)
  open.add(inner)
  for (const end of [client, inner]) end.on('error', () => [client, inner].map((one) => one.destroy()))
})
door.listen(socket, () => console.log(`ready ${process.pid}`))
await new Promise((resolve) => process.once('SIGTERM', resolve))
// The door would wait for clients that stay.
for (const end of open) end.destroy()
