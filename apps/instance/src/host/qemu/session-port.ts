import { chown, chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { unavailable } from '@berth/errors'
import type { Qmp } from './qmp.ts'

/** A byte stream into the guest: a virtio-serial port of its own that lives as long as the session. */
export type SessionPort = { socket: Socket; close(): void }

type PortOptions = { qmp: Qmp; runDir: string; uid: number; signal: AbortSignal; left: () => void }

/** Ports start with this and a number; the agent serves every port whose name begins with it. */
export const sessionName = 'berth.session.'
const ids = /^(?:berth-port|berth-chardev)-(\d+)$/
const acceptMs = 2_000

/** Id of a session port's device, as events name it. */
export function portId(number: string): string {
  return `berth-port-${number}`
}

function chardevId(number: string): string {
  return `berth-chardev-${number}`
}

/**
 * Opens a session port: QEMU connects to a socket of ours, and only then is the port plugged, since a guest takes an unconnected port for a closed one.
 *
 * @param number fresh for the life of this VMM: QEMU holds an id for a while after its device is gone
 */
export async function openSessionPort(number: string, { qmp, runDir, uid, signal, left }: PortOptions): Promise<SessionPort> {
  const path = `${runDir}/session-${number}.sock`
  const chardev = chardevId(number)
  await rm(path, { force: true })
  const server = await listen(path)
  try {
    await chmod(path, 0o600)
    await chown(path, uid, uid)
    const accepted = accept(server, signal)
    await qmp.execute('chardev-add', {
      id: chardev,
      backend: { type: 'socket', data: { addr: { type: 'unix', data: { path } }, server: false } },
    })
    const socket = await accepted
    const close = (): void => void socket.destroy()
    try {
      await qmp.execute('device_add', {
        driver: 'virtserialport',
        id: portId(number),
        chardev,
        name: `${sessionName}${number}`,
        bus: 'vser.0',
      })
    } catch (error) {
      close()
      throw error
    }
    socket.once('close', left)
    return { socket, close }
  } finally {
    server.close()
    await rm(path, { force: true })
  }
}

/** Unplugs a session's port and forgets its character device; true when both are gone. Ask again when not: the guest lets go in its own time. */
export async function removeSessionPort(qmp: Qmp, number: string): Promise<boolean> {
  await refusedIsFine(qmp.execute('device_del', { id: portId(number) }))
  return refusedIsFine(qmp.execute('chardev-remove', { id: chardevId(number) }))
}

/** Numbers of the session ports that a VMM has, also those a dead service left behind. */
export async function sessionNumbers(qmp: Qmp): Promise<number[]> {
  const chardevs = (await qmp.execute('query-chardev')) as { label: string }[]
  return chardevs.flatMap(({ label }) => ids.exec(String(label))?.[1] ?? []).map(Number)
}

async function refusedIsFine(command: Promise<unknown>): Promise<boolean> {
  try {
    await command
    return true
  } catch (error) {
    const refused = error as { reason?: string; message: string }
    if (refused.reason !== 'VMM_REFUSED') throw error
    return /not found/i.test(refused.message)
  }
}

function listen(path: string): Promise<Server> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve(server))
  })
}

function accept(server: Server, signal: AbortSignal): Promise<Socket> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(acceptMs)])
  const accepted = new Promise<Socket>((resolve, reject) => {
    server.once('connection', resolve)
    limit.addEventListener('abort', () => reject(unavailable('VMM_UNREACHABLE', 'the VMM did not connect the session port')), {
      once: true,
    })
  })
  // The command that makes QEMU connect may fail first; this promise is then nobody's.
  accepted.catch(() => {})
  return accepted
}
