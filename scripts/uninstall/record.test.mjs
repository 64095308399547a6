import { expect, test } from 'vitest'
import { foldersOf, parseOptions } from './options.mjs'
import { parseRecord } from './record.mjs'

const record = (...objects) => JSON.stringify({ version: 1, objects })

test('a record gives its objects', () => {
  const bridge = { kind: 'bridge', name: 'br-a1b2c3d4' }
  expect(parseRecord('x', record(bridge))).toEqual([bridge])
})

test.each([
  [{ kind: 'bridge', name: 'lo; reboot' }, 'bad name'],
  [{ kind: 'rule', family: 'ip', table: 'filter', chain: 'FORWARD', comment: '' }, 'bad comment'],
  [{ kind: 'cgroup', path: '/sys/fs/cgroup/../../etc/berth' }, 'bad path'],
  [{ kind: 'process', pid: 0, startTicks: 1 }, 'bad pid'],
  [{ kind: 'disk', name: 'sda' }, 'does not know'],
])('a record that could hit something else is refused: %j', (object, message) => {
  expect(() => parseRecord('x', record(object))).toThrow(message)
})

test('a record of another version is refused', () => {
  expect(() => parseRecord('x', '{"version":2,"objects":[]}')).toThrow('another version')
})

test('folders at the top of the machine are never deleted', () => {
  for (const folder of ['/', '/var', '/run/..', 'berth', '/a/../..'])
    expect(() => foldersOf({ BERTH_DATA_DIR: folder })).toThrow('may delete')
  expect(foldersOf({})).toEqual({ data: '/var/lib/berth', run: '/run/berth' })
})

test('data is kept unless asked', () => {
  expect(parseOptions([]).data).toBe(false)
  expect(parseOptions(['--data', '-y'])).toMatchObject({ data: true, yes: true })
  expect(() => parseOptions(['--dtaa'])).toThrow()
})
