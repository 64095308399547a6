import { InstanceSpecSchema, type WorkloadSchema } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { guestConfig } from './guest-config.ts'

const image = { entrypoint: ['/app'], cmd: ['serve'], env: ['A=1', 'B=2'], user: 'web', workingDir: '/srv', stopSignal: 3 }
const configOf = (workload?: MessageInitShape<typeof WorkloadSchema>, own = image) =>
  guestConfig({ id: 'ins_x', name: 'one', spec: create(InstanceSpecSchema, { workload }), image: own, ports: [] }).workload

test('an image runs as its publisher said, with a PATH', () => {
  expect(configOf()).toMatchObject({ command: ['/app', 'serve'], user: 'web', workingDir: '/srv', stopSignal: 3 })
  expect(configOf()?.env).toEqual(['A=1', 'B=2', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'])
})

test.each([
  ['arguments replace its cmd', { args: ['x', 'y'] }, ['/app', 'x', 'y']],
  ['an entrypoint replaces both', { entrypoint: ['/bin/sh'] }, ['/bin/sh']],
  ['and takes arguments of its own', { entrypoint: ['/bin/sh'], args: ['-c', 'true'] }, ['/bin/sh', '-c', 'true']],
])("an instance's own %s", (_, workload, command) => {
  expect(configOf(workload)?.command).toEqual(command)
})

test('its environment is added to the image, name by name', () => {
  expect(configOf({ env: { B: 'two', PATH: '/bin' } })?.env).toEqual(['A=1', 'B=two', 'PATH=/bin'])
})
