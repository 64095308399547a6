import { rmSync, symlinkSync, unlinkSync } from 'node:fs'
import { tableDifferences } from '@berth/db'
import { AuditService, FindingSide } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { DeviceService, WatchDevicesResponse_Type as Type } from '@berth/proto/berth/device/v1/device_pb.ts'
import { clientOf, connectTo, hostKey, mintToken } from '@berth/rpc'
import { createLogger } from '@berth/telemetry'
import { tempDir, testDatabase, until } from '@berth/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { DeviceConfig } from '../src/config.ts'
import { startService } from '../src/service.ts'
import { tables } from '../src/store/tables.ts'
import { recordHost } from './recorded-host.ts'

const host = recordHost()
const data = tempDir('device')
const logger = createLogger({ name: 'device', level: 'silent' })
let database: Awaited<ReturnType<typeof testDatabase>>
let service: Awaited<ReturnType<typeof start>>

function start(given: Partial<DeviceConfig> = {}) {
  const config: DeviceConfig = {
    dataDir: data.path,
    listen: { host: '127.0.0.1', port: 0 },
    advertise: '127.0.0.1:0',
    gatewayAddress: '127.0.0.1:1',
    databaseUrl: database.urlFor('device'),
    databasePrepare: true,
    natsUrl: undefined,
    logLevel: 'silent',
    failpointsFile: undefined,
    sys: host.sys,
    proc: host.proc,
    ...given,
  }
  return startService(config, { logger })
}

async function connect(port: number, dataDir = data.path) {
  const { token } = await mintToken({
    key: await hostKey(dataDir),
    audience: 'device',
    actor: 'key_test',
    project: 'default',
    roles: ['admin'],
    plane: 'public',
  })
  const transport = connectTo({ target: `127.0.0.1:${port}`, identity: token })
  return {
    devices: clientOf(DeviceService, transport),
    audit: clientOf(AuditService, transport),
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  }
}

let api: Awaited<ReturnType<typeof connect>>
beforeAll(async () => {
  database = await testDatabase()
  service = await start()
  api = await connect(service.port)
  await until('the inventory is written', async () => (await list()).length === 13)
})
afterAll(async () => {
  api?.[Symbol.dispose]()
  await service?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
  data[Symbol.dispose]()
  host.remove()
})

const list = async (filter = '') => (await api.devices.listDevices({ filter })).devices
const named = async (address: string) => (await list()).find(({ spec }) => spec?.address === address) ?? expect.fail(`no ${address}`)
const validate = async (address: string) => api.devices.validateDevice({ id: (await named(address)).id })
const reasons = async (address: string) => (await validate(address)).obstacles.map(({ reason }) => reason)

it('has the tables that its migrations make', async () => {
  expect(await tableDifferences(service.db, tables)).toEqual([])
})

it('lists every function of the host with what it is', async () => {
  const device = await named('0000:01:00.1')
  expect(device).toMatchObject({ project: 'default', host: service.hostId, creator: 'berth-device', etag: '1' })
  expect(device.name).toBe(`pci-0000-01-00-1-${service.hostId.slice(-8)}`)
  expect(device.status).toMatchObject({
    vendorId: '10de',
    deviceId: '1aef',
    classId: '040300',
    driver: 'snd_hda_intel',
    iommuGroup: '1',
    present: true,
  })
  expect((await api.devices.getDevice({ id: device.name })).device).toEqual(device)
  await expect(api.devices.getDevice({ id: 'nothing' })).rejects.toMatchObject({ code: 'NOT_FOUND', reason: 'DEVICE_NOT_FOUND' })
})

it('finds devices by vendor, class and driver', async () => {
  expect((await list('vendor_id=10de')).map(({ spec }) => spec?.address)).toEqual(['0000:01:00.0', '0000:01:00.1'])
  expect((await list('vendor_id=10de and driver=snd_hda_intel')).map(({ spec }) => spec?.address)).toEqual(['0000:01:00.1'])
  expect((await list(`class_id=010802 and host=${service.hostId}`)).map(({ spec }) => spec?.address)).toEqual(['0000:00:19.0'])
  await expect(list('colour=red')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_FILTER' })
})

it('gives all obstacles of a device at once, and the others of its group', async () => {
  expect(await validate('0000:01:00.0')).toMatchObject({
    obstacles: [{ reason: 'GROUP_NOT_VIABLE', addresses: ['0000:01:00.1'] }],
    groupAddresses: ['0000:00:1c.0', '0000:01:00.1'],
  })
  expect(await reasons('0000:00:17.0')).toEqual(['HOST_CRITICAL_DEVICE'])
  expect(await reasons('0000:00:1f.0')).toEqual(['HOST_CRITICAL_DEVICE'])
  expect(await reasons('0000:00:02.0')).toEqual(['HOST_CRITICAL_DEVICE'])
  expect(await reasons('0000:03:00.0')).toEqual(['ACTIVE_VFS'])
  expect(await reasons('0000:00:00.0')).toEqual(['BRIDGE'])
  expect(await reasons('0000:00:1a.0')).toEqual([])
})

it('looks at the bus before it answers, and keeps the row of what was taken out', async () => {
  const before = await named('0000:00:1a.0')
  const link = host.at('sys/bus/pci/devices/0000:00:1a.0')
  unlinkSync(link)
  expect(await validate('0000:00:1a.0')).toMatchObject({
    obstacles: [{ reason: 'NOT_PRESENT' }],
    device: { id: before.id, status: { present: false } },
  })
  symlinkSync('../../../devices/pci0000:00/0000:00:1a.0', link)
  expect((await validate('0000:00:1a.0')).device).toMatchObject({ id: before.id, status: { present: true } })
})

it('tells watches what changes', async () => {
  const seen: string[] = []
  for await (const { type, device } of api.devices.watchDevices({ filter: 'driver=ahci' })) {
    if (type === Type.BOOKMARK && seen.length === 2) {
      rmSync(host.at('sys/devices/pci0000:00/0000:00:1a.0/driver'))
      await validate('0000:00:1a.0')
    }
    if (device) seen.push(`${device.spec?.address} ${device.status?.driver}`)
    if (seen.length === 3) break
  }
  expect(seen).toEqual(['0000:00:17.0 ahci', '0000:00:1a.0 ahci', '0000:00:1a.0 '])
})

it('is audited in both directions', async () => {
  const { findings, compared } = await api.audit.auditHost({})
  expect({ findings, compared }).toEqual({ findings: [], compared: { row: 13n, function: 13n } })
  host.pci('pci0000:00/0000:00:1b.0', { vendor: '0x8086', device: '0x0001', class: '0x020000' })
  const taken = host.at('sys/bus/pci/devices/0000:00:18.0')
  unlinkSync(taken)
  host.write('sys/devices/pci0000:00/0000:00:19.0/vendor', '0x1234')
  const found = (await api.audit.auditHost({ host: service.hostId })).findings
  const word = (side: number) => Object.entries(FindingSide).find(([, number]) => number === side)?.[0]
  expect(found.map(({ side, kind, name, service: of }) => `${of} ${word(side)} ${kind} ${name}`)).toEqual([
    'device MISMATCH row 0000:00:19.0',
    'device HOST_ONLY row 0000:00:1b.0',
    'device DATABASE_ONLY row 0000:00:18.0',
  ])
  await expect(api.audit.auditHost({ host: 'hst_other' })).rejects.toMatchObject({ reason: 'WRONG_HOST' })
})

it('lists the devices of two hosts side by side, and answers for both', async () => {
  using elsewhere = tempDir('device-b')
  await using second = await start({ dataDir: elsewhere.path })
  using other = await connect(second.port, elsewhere.path)
  await until('both are listed', async () => (await list(`host=${second.hostId}`)).length === 13)
  const { devices } = await other.devices.listDevices({ filter: `host=${service.hostId}` })
  const device = devices.find(({ spec }) => spec?.address === '0000:00:17.0')
  expect((await other.devices.validateDevice({ id: device?.id ?? '' })).obstacles.map(({ reason }) => reason)).toEqual([
    'HOST_CRITICAL_DEVICE',
  ])
  expect((await other.audit.auditHost({})).findings).toEqual([])
})

it('says on a host without IOMMU that there is none', async () => {
  using elsewhere = tempDir('device-c')
  rmSync(host.at('sys/devices/pci0000:00/0000:00:1a.0/iommu_group'))
  await using third = await start({ dataDir: elsewhere.path })
  using other = await connect(third.port, elsewhere.path)
  const found = await until('it is listed', async () =>
    (await other.devices.listDevices({ filter: `host=${third.hostId}` })).devices.find(({ spec }) => spec?.address === '0000:00:1a.0'),
  )
  expect((await other.devices.validateDevice({ id: found.id })).obstacles).toMatchObject([{ reason: 'NO_IOMMU' }])
})
