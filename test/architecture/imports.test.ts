import path from 'node:path'
import { expect, test } from 'vitest'
import { violations } from './check.ts'
import { importsOf, readSources } from './source.ts'

const root = path.resolve(import.meta.dirname, '../..')
const check = (file: string, text: string) => violations([{ path: file, text }])

test('the house keeps its own rules', () => {
  expect(violations(readSources(root))).toEqual([])
})

test('the rules are applied to files that are really there', () => {
  expect(readSources(root).map((file) => file.path)).toContain('packages/errors/src/index.ts')
})

test.each([
  ['packages/errors/src/x.ts', `import { a } from 'pino'`, 'imports nobody'],
  ['packages/db/src/x.ts', `import { a } from '@berth/events'`, 'knows only those below it'],
  ['packages/host/src/x.ts', `import { a } from 'undici'`, 'stands on Node alone'],
  ['packages/rpc/src/x.ts', `import { a } from '../../db/src/index.ts'`, 'not by a path'],
  ['packages/rpc/src/x.ts', `import { a } from '@berth/testing'`, 'for tests alone'],
  ['apps/image/src/x.ts', `import { a } from '@berth/network'`, 'through its API'],
  ['apps/image/src/domain/pull.ts', `import { Code } from '@connectrpc/connect'`, 'go through ports'],
  ['apps/image/src/domain/pull.ts', `import type { SQL } from 'drizzle-orm'`, 'go through ports'],
  ['apps/image/src/domain/pull.ts', `import { readFile } from 'node:fs/promises'`, 'go through ports'],
  ['apps/image/src/domain/pull.ts', `import {\n  a,\n  b,\n} from '../store/images.ts'`, 'go through ports'],
  ['apps/image/src/domain/pull.ts', `const x = await import('@nats-io/jetstream')`, 'go through ports'],
  ['apps/image/src/routes/get.ts', `import { a } from '../store/images.ts'`, 'calls one verb'],
  ['apps/image/src/store/images.ts', `import { a } from '../loops/pull.ts'`, 'knows no route, loop or machine'],
  ['apps/image/src/host/run.ts', `import { a } from '@berth/db'`, 'and no database'],
  ['apps/image/src/main.ts', `import { a } from './store/images.ts'`, 'built in service.ts'],
  ['apps/image/src/peers/volume.ts', `import { a } from '../store/images.ts'`, 'knows no route, loop or store'],
  ['apps/cli/src/list.ts', `import { a } from '@berth/db'`, 'uses the API like everybody else'],
  ['apps/image/src/service.ts', `const url = process.env.NATS_URL`, 'only config.ts'],
  ['apps/image/src/main.ts', 'x()\n'.repeat(41), 'has 41 lines, the limit is 40'],
  ['packages/rpc/src/x.ts', 'x()\n'.repeat(261), 'has 261 lines, the limit is 260'],
])('a planted fault in %s is named with its reason', (file, text, reason) => {
  const found = check(file, text)
  expect(found).toHaveLength(1)
  expect(found[0]).toContain(file)
  expect(found[0]).toContain(reason)
})

test.each([
  [
    'apps/image/src/domain/pull.ts',
    `import { notFound } from '@berth/errors'\nimport { state } from './state.ts'\nimport { createHash } from 'node:crypto'`,
  ],
  ['apps/image/src/service.ts', `import { openDatabase } from '@berth/db'\nimport { x } from './store/images.ts'`],
  ['apps/image/src/config.ts', `import { parse } from '@berth/config'\nconst { env } = process\nconst x = process.env.NATS_URL`],
  ['packages/host/src/x.ts', `const path = process.env['PATH'] ?? ''`],
  ['apps/image/src/domain/pull.test.ts', `import { database } from '@berth/testing'`],
  ['apps/image/src/loops/pull.ts', `import { controller } from '@berth/controller'\nimport { x } from '../store/images.ts'`],
])('what the house allows passes: %s', (file, text) => {
  expect(check(file, text)).toEqual([])
})

test('imports are found in every form', () => {
  const text = `import 'a'\nimport b from 'b'\nimport type { C } from "c"\nexport * from 'd'\nexport {\n  e,\n} from 'e'\nconst f = await import('f')`
  expect(importsOf(text).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
})
