import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openQmp, type Qmp } from './qmp.ts'

const cleanUps: (() => void)[] = []
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).reverse()) cleanUp()
})

/** A monitor that answers commands by this function; undefined is silence. */
async function monitor(
  answer: (command: { execute: string; id: number }, socket: Socket) => string | undefined,
  timeoutMs?: number,
): Promise<Qmp> {
  const folder = mkdtempSync(path.join(tmpdir(), 'qmp-'))
  const file = path.join(folder, 'qmp.sock')
  const server = createServer((socket) => {
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n')
    socket.on('error', () => {})
    socket.on('data', (data) => {
      for (const line of String(data).trim().split('\n')) {
        const command = JSON.parse(line)
        socket.write(command.execute === 'qmp_capabilities' ? `{"return":{},"id":${command.id}}\r\n` : (answer(command, socket) ?? ''))
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(file, resolve))
  cleanUps.push(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })
  const qmp = await openQmp(file, { timeoutMs })
  cleanUps.push(() => qmp.close())
  return qmp
}

test('answers find their commands, whatever events come between', async () => {
  const qmp = await monitor(({ execute, id }) => `{"event":"RTC_CHANGE"}\r\n{"return":"${execute}","id":${id}}\r\n`)
  expect(await Promise.all([qmp.execute('a'), qmp.execute('b')])).toEqual(['a', 'b'])
})

test('a refused command says what QEMU said', async () => {
  const qmp = await monitor(({ id }) => `{"error":{"class":"GenericError","desc":"Device not found"},"id":${id}}\n`)
  await expect(qmp.execute('device_del')).rejects.toMatchObject({ reason: 'VMM_REFUSED', message: 'Device not found' })
})

test('a monitor that goes silent is given up, and so is every command that waits', async () => {
  const qmp = await monitor(() => undefined, 50)
  const both = await Promise.allSettled([qmp.execute('a'), qmp.execute('b')])
  expect(both.map((one) => one.status === 'rejected' && one.reason.reason)).toEqual(['VMM_UNREACHABLE', 'VMM_UNREACHABLE'])
  expect(qmp.closed).toBe(true)
})

test('a monitor that ends, or sends nonsense, ends its commands', async () => {
  const ended = await monitor((_, socket) => void socket.destroy())
  await expect(ended.execute('quit')).rejects.toMatchObject({ reason: 'VMM_UNREACHABLE' })
  const mad = await monitor(() => 'hello\n')
  await expect(mad.execute('x')).rejects.toMatchObject({ reason: 'VMM_UNREACHABLE' })
})

test('a socket nobody listens on is UNAVAILABLE', async () => {
  await expect(openQmp('/nonexistent/qmp.sock')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})
