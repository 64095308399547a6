import { expect, it } from 'vitest'
import { readConfig } from './config.ts'

const needed = { BERTH_VOLUME_DATABASE_URL: 'postgres://berth_volume@localhost/berth' }

it('needs no more than its database', () => {
  const { config, warnings } = readConfig(needed)
  expect(config).toMatchObject({
    dataDir: '/var/lib/berth',
    listen: { port: 7012 },
    advertise: '127.0.0.1:7012',
    natsUrl: undefined,
    reserveBytes: 1024 ** 3,
  })
  expect(warnings).toEqual([])
})

it('takes addresses and sizes with their units', () => {
  const { config } = readConfig({ ...needed, BERTH_LISTEN: '[::1]:9', BERTH_VOLUME_RESERVE: '2GiB', BERTH_GATEWAY_ADDRESS: 'gw:1' })
  expect(config).toMatchObject({ advertise: '[::1]:9', reserveBytes: 2 * 1024 ** 3, gatewayAddress: 'gw:1' })
})

it('says everything that is wrong at once', () => {
  expect(() => readConfig({ BERTH_LISTEN: 'nowhere', BERTH_VOLUME_RESERVE: 'much' })).toThrow(
    /BERTH_LISTEN is no address[^]*BERTH_VOLUME_DATABASE_URL is not set[^]*BERTH_VOLUME_RESERVE is no size/,
  )
})
