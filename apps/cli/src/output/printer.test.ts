import { create } from '@bufbuild/protobuf'
import { timestampNow } from '@bufbuild/protobuf/wkt'
import { VolumeSchema, VolumeState } from '@berth/proto/berth/volume/v1/volume_pb.ts'
import { expect, it } from 'vitest'
import { escapeText } from './escape.ts'
import { type Format, printer } from './printer.ts'
import { volumeView } from './views.ts'

const volume = create(VolumeSchema, {
  id: 'vol_01k0000000000000000000000a',
  name: 'data',
  spec: { sizeBytes: 1073741824n },
  status: { state: VolumeState.READY, writer: '\x1b[2Jevil' },
  createTime: timestampNow(),
})

function printed(format: Format, noHeaders = false): string {
  let text = ''
  printer({ write: (more: string) => (text += more) }, { format, noHeaders }).list(volumeView, [volume])
  return text
}

it('a table has upper-case heads, NAME first, AGE last, and no escape sequence of a stranger', () => {
  expect(printed('table')).toBe('NAME  SIZE  ALLOCATED  STATE  WRITER       AGE\ndata  1GiB  0B         READY  \\x1b[2Jevil  0s\n')
})

it('wide adds columns, no-headers drops the first line', () => {
  expect(printed('wide', true)).toContain('vol_01k0000000000000000000000a')
  expect(printed('wide', true)).not.toContain('NAME')
})

it('json is the proto3 JSON of the message in a list of items', () => {
  const parsed = JSON.parse(printed('json')) as { items: { spec: unknown }[] }
  expect(parsed.items[0]?.spec).toEqual({ sizeBytes: '1073741824' })
})

it('jsonl, name and id print one line each', () => {
  expect(printed('jsonl').trim().split('\n')).toHaveLength(1)
  expect(printed('name')).toBe('volume/data\n')
  expect(printed('id')).toBe('vol_01k0000000000000000000000a\n')
})

it('control characters are shown, lines are kept on request', () => {
  expect(escapeText('a\x07b\nc\x9b')).toBe('a\\x07b\\x0ac\\x9b')
  expect(escapeText('a\r\nb\tc', true)).toBe('a\r\nb\tc')
})
