import { rmSync } from 'node:fs'
import { type EmbeddedServer, startEmbeddedNats } from '@berth/host/embedded/index'
import { home } from './home.ts'
import { makeTempDir } from './temp-dir.ts'

export type TestNats = AsyncDisposable & {
  url: string
  /** Kills it as a crash would. */
  kill(): Promise<void>
  /** Starts it again on the same port with the same store. */
  restart(): Promise<void>
  /** Keeps its connections, and answers nothing until it is disposed. */
  hold(): void
}

/** A nats-server with JetStream of its own, ended and removed at the end of its scope. */
export async function testNats(): Promise<TestNats> {
  const dataDir = makeTempDir('nats')
  const options = { dataDir, home, tieToParent: true }
  let server: EmbeddedServer = await startEmbeddedNats(options)
  let held = false
  const port = Number(new URL(server.url).port)
  return {
    url: server.url,
    async kill() {
      process.kill(server.identity.pid, 'SIGKILL')
      await server.stop()
    },
    async restart() {
      server = await startEmbeddedNats({ ...options, port })
    },
    hold() {
      process.kill(server.identity.pid, 'SIGSTOP')
      held = true
    },
    async [Symbol.asyncDispose]() {
      if (held) process.kill(server.identity.pid, 'SIGCONT')
      await server.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
