import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Env, type Environment, parseBytes, parseDuration, parseHostPort, readEnv, unknownNames } from './index.ts'

const read = <T>(environment: Environment, toConfig: (env: Env) => T) => readEnv(environment, toConfig).config
const message = (environment: Environment, toConfig: (env: Env) => unknown) => {
  try {
    readEnv(environment, toConfig)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('it was taken')
}

describe('reading variables', () => {
  it('takes what is set and defaults for the rest', () => {
    const config = read({ A: 'x', B: '7', C: '5m', D: '8GiB', E: '[::1]:80', F: 'a, b,,c', G: 'off', H: '' }, (env) => ({
      a: env.string('A'),
      b: env.int('B'),
      c: env.duration('C'),
      d: env.bytes('D'),
      e: env.hostPort('E'),
      f: env.list('F'),
      g: env.bool('G', true),
      h: env.string('H', 'fallback'),
      i: env.port('I', 7000),
      j: env.url('J', undefined),
      k: env.oneOf('K', ['one', 'two'], 'two'),
    }))
    expect(config).toEqual({
      a: 'x',
      b: 7,
      c: 300_000,
      d: 8 * 2 ** 30,
      e: { host: '::1', port: 80 },
      f: ['a', 'b', 'c'],
      g: false,
      h: 'fallback',
      i: 7000,
      j: undefined,
      k: 'two',
    })
  })

  it('tells all that is wrong at once, and never the value', () => {
    const text = message({ A: '1x', B: '70000', C: '30', D: 'lots', E: 'nohost', F: 'relative/path', G: 'perhaps', H: '99' }, (env) => [
      env.int('A'),
      env.port('B'),
      env.duration('C'),
      env.bytes('D'),
      env.hostPort('E'),
      env.path('F'),
      env.bool('G'),
      env.int('H', 1, { max: 10 }),
      env.string('MISSING'),
      env.url('G'),
      env.oneOf('G', ['one']),
    ])
    expect(text.split('\n')).toHaveLength(11)
    expect(text).toContain('MISSING is not set')
    expect(text).not.toContain('perhaps')
  })

  it('reads a secret from the file that the variable names, and refuses both at once', () => {
    const folder = mkdtempSync(join(tmpdir(), 'berth-config-'))
    const file = join(folder, 'secret')
    writeFileSync(file, 'hunter2\n')
    try {
      expect(read({ A_FILE: file }, (env) => env.secret('A'))).toBe('hunter2')
      expect(read({ A: 'plain' }, (env) => env.secret('A'))).toBe('plain')
      expect(message({ A: 'x', A_FILE: file }, (env) => env.secret('A'))).toContain('both')
      expect(message({ A_FILE: `${file}.none` }, (env) => env.secret('A'))).toContain('ENOENT')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('warns of an unknown variable with the name that was meant', () => {
    expect(unknownNames({ BERTH_DATA_DRI: '/x', PATH: 'x', BERTH_DATA_DIR: '/y', BERTH_TOKEN_FILE: '/z' })).toEqual([
      'unknown variable BERTH_DATA_DRI; did you mean BERTH_DATA_DIR?',
    ])
    expect(unknownNames({ BERTH_COMPLETELY_DIFFERENT: '1' })).toEqual(['unknown variable BERTH_COMPLETELY_DIFFERENT'])
    expect(unknownNames({ BERTH_OWN: '1' }, ['BERTH_OWN'])).toEqual([])
  })
})

describe('quantities', () => {
  it.each([
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['0', 0],
    ['1.5s', 1500],
    ['30', undefined],
    ['-1s', undefined],
    ['s', undefined],
    ['1 s', undefined],
  ])('reads the duration “%s” as %s ms', (text, expected) => expect(parseDuration(text)).toBe(expected))

  it.each([
    ['8GiB', 8 * 2 ** 30],
    ['1.5 MiB', 1_572_864],
    ['10GB', 1e10],
    ['4096', 4096],
    ['0', 0],
    ['8gib', undefined],
    ['1e9', undefined],
    ['-1', undefined],
    ['99999999TiB', undefined],
    ['0.3B', undefined],
  ])('reads the size “%s” as %s bytes', (text, expected) => expect(parseBytes(text)).toBe(expected))

  it.each(['127.0.0.1', ':80', 'a:b', 'a:70000', 'a b:1', '::1:80'])('refuses the address “%s”', (text) =>
    expect(parseHostPort(text)).toBeUndefined())
})
