import { describe, expect, it } from 'vitest'
import { parseConfiguration } from './config.ts'

const diffId = `sha256:${'1'.repeat(64)}`
const base = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [diffId] } }
const parse = (config: unknown, more: object = {}) => parseConfiguration(Buffer.from(JSON.stringify({ ...base, config, ...more })), 1)

describe('image configurations', () => {
  it('keep what an image says about running it', () => {
    const config = {
      Entrypoint: ['/app'],
      Cmd: ['a', 'b'],
      Env: ['A=1', 'B='],
      User: '1000:100',
      WorkingDir: '/srv',
      StopSignal: 'SIGINT',
      Labels: { a: 'b' },
    }
    expect(parse(config)).toEqual({
      run: {
        entrypoint: ['/app'],
        cmd: ['a', 'b'],
        env: ['A=1', 'B='],
        user: '1000:100',
        workingDir: '/srv',
        stopSignal: 'SIGINT',
        labels: { a: 'b' },
      },
      diffIds: [diffId],
    })
  })

  it('take absent and null parts as empty', () => {
    const empty = { entrypoint: [], cmd: [], env: [], user: '', workingDir: '', stopSignal: '', labels: {} }
    expect(parse({ Entrypoint: null, Cmd: null, Labels: null }).run).toEqual(empty)
    expect(parse(undefined).run).toEqual(empty)
  })

  it.each([
    [{ Entrypoint: 'sh' }],
    [{ Cmd: [1] }],
    [{ Cmd: ['a\0b'] }],
    [{ Env: ['nothing'] }],
    [{ Env: ['=x'] }],
    [{ User: 7 }],
    [{ User: 'a b' }],
    [{ WorkingDir: 'relative' }],
    [{ StopSignal: 'now' }],
    [{ Labels: ['a'] }],
    [{ Labels: { a: 1 } }],
    [{}, { os: 'windows' }],
    [{}, { architecture: 'arm64' }],
    [{}, { rootfs: { type: 'layers', diff_ids: [] } }],
    [{}, { rootfs: { type: 'layers', diff_ids: ['x'] } }],
    [{}, { rootfs: undefined }],
  ])('refuses %j %j', (config, more?: object) => {
    expect(() => parse(config, more)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', reason: 'MANIFEST_INVALID' }))
  })
})
