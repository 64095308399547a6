import { expect, test } from 'vitest'
import { cleanEnv, commandEnv } from './env.mjs'

test('settings of the outer npm do not reach an inner command', () => {
  expect(cleanEnv({ npm_config_cache: '/x', NPM_TOKEN: 'y', INIT_CWD: '/z', NODE_ENV: 'production', PATH: '/bin' })).toEqual({
    PATH: '/bin',
  })
})

test('an empty environment still gives commands a HOME and a PATH', () => {
  const env = commandEnv({})
  expect(env.HOME).toBeTruthy()
  expect(env.PATH).toContain('/usr/sbin')
})
