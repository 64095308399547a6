import { expect, it } from 'vitest'
import { readConfig } from './config.ts'

it('needs no more than its database, and reads the host’s own bus', () => {
  const { config, warnings } = readConfig({ BERTH_DEVICE_DATABASE_URL: 'postgres://berth_device@localhost/berth' })
  expect(config).toMatchObject({ listen: { port: 7014 }, advertise: '127.0.0.1:7014', sys: '/sys', proc: '/proc', natsUrl: undefined })
  expect(warnings).toEqual([])
})

it('says what is wrong', () => {
  expect(() => readConfig({ BERTH_DATA_DIR: 'relative' })).toThrow(
    /BERTH_DATA_DIR is no absolute path[^]*BERTH_DEVICE_DATABASE_URL is not set/,
  )
})
