import { service } from '../src/index.ts'
import { Echo, startFixture } from './fixture.ts'

const forever = new Promise<never>(() => undefined)
const fixture = await startFixture([
  service(Echo, {
    say: () => forever,
    async *count() {
      yield { value: '0' }
      await forever
    },
    sum: () => forever,
    async *chat() {},
    hostOnly: () => ({}),
  }),
])
console.log(JSON.stringify({ port: fixture.server.port, token: await fixture.token(), dataDir: fixture.dataDir }))
