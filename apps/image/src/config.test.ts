import { describe, expect, it } from 'vitest'
import { readConfig } from './config.ts'

const url = { BERTH_IMAGE_DATABASE_URL: 'postgres://x@localhost/berth' }

describe('the configuration', () => {
  it('needs a database and nothing else', () => {
    expect(readConfig(url).config).toMatchObject({
      dataDir: '/var/lib/berth',
      listen: { host: '127.0.0.1', port: 7011 },
      advertise: '127.0.0.1:7011',
      natsUrl: undefined,
      insecureRegistries: [],
      proxy: {},
      failpointsFile: undefined,
    })
    expect(() => readConfig({})).toThrow(/BERTH_IMAGE_DATABASE_URL/)
  })

  it('reads registries, proxies and folders', () => {
    const environment = {
      ...url,
      BERTH_HOME: '/srv/berth',
      BERTH_LISTEN: '[::1]:1',
      BERTH_INSECURE_REGISTRIES: 'localhost:5000, 10.0.0.1:5000',
      https_proxy: 'http://proxy:3128',
    }
    expect(readConfig(environment).config).toMatchObject({
      advertise: '[::1]:1',
      guestDir: '/srv/berth/.berth/guest',
      insecureRegistries: ['localhost:5000', '10.0.0.1:5000'],
      proxy: { httpsProxy: 'http://proxy:3128' },
    })
  })

  it('names everything that is wrong at once, and what it does not know', () => {
    const wrong = { ...url, BERTH_LISTEN: 'nowhere', BERTH_DATA_DIR: 'relative', BERTH_DATABASE_PREPARE: 'maybe' }
    expect(() => readConfig(wrong)).toThrow(/BERTH_LISTEN[\s\S]*BERTH_DATA_DIR|BERTH_DATA_DIR[\s\S]*BERTH_LISTEN/)
    expect(readConfig({ ...url, BERTH_INSECURE_REGISTRY: 'x' }).warnings).toEqual([expect.stringMatching(/BERTH_INSECURE_REGISTR/)])
  })
})
