import type { Device } from '@berth/proto/berth/device/v1/device_pb.ts'
import { groupOf, type Obstacle, obstaclesOf } from './obstacles.ts'
import type { PublicDevices } from './ports.ts'
import type { Inventory } from './rescan.ts'

export type Validated = { device: Device; obstacles: Obstacle[]; groupAddresses: string[] }

/**
 * Says every reason why a device cannot be given to a VM. On this host the bus is read anew; of another host's devices, what that host wrote
 * down last is told.
 *
 * @throws NotFound(`DEVICE_NOT_FOUND`)
 */
export async function validateDevice(ctx: Inventory & { devices: PublicDevices }, project: string, reference: string): Promise<Validated> {
  const { id, host } = await ctx.devices.get(project, reference)
  if (host === ctx.hostId) await ctx.rescan()
  const device = await ctx.devices.get(project, id)
  const all = await ctx.rows.onHost(host)
  const known = all.find((one) => one.id === id)
  if (!known) throw new Error(`device ${id} is not among those of its host`)
  return { device, obstacles: obstaclesOf(known, all), groupAddresses: groupOf(known, all).map(({ address }) => address) }
}
