import { DesiredPower, InstanceSpecSchema, OnExit, RestartPolicy } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { isBerthError } from '@berth/errors'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { completeSpec, nameFromImage } from './spec.ts'

const limits = { cpus: 4, memoryBytes: 2 ** 33, hypervisors: ['qemu'] }
const spec = (init: MessageInitShape<typeof InstanceSpecSchema> = {}) =>
  create(InstanceSpecSchema, { boot: { case: 'image', value: { image: 'a' } }, ...init })

test('what is not said is written down as its default', () => {
  expect(completeSpec(spec(), limits)).toMatchObject({
    vcpus: 1,
    memoryBytes: 536_870_912n,
    scratchBytes: 8_589_934_592n,
    nics: [{ network: 'default' }],
    desiredPower: DesiredPower.RUNNING,
    restartPolicy: RestartPolicy.ON_FAILURE,
    onExit: OnExit.KEEP,
    hypervisor: 'qemu',
  })
})

test.each<[string, MessageInitShape<typeof InstanceSpecSchema>, string, string]>([
  ['more CPUs than the host has', { vcpus: 5 }, 'spec.vcpus', 'INVALID_ARGUMENT'],
  ['memory that is no multiple of 1 MiB', { memoryBytes: 134_217_729n }, 'spec.memory_bytes', 'INVALID_ARGUMENT'],
  ['more memory than the host has', { memoryBytes: 2n ** 34n }, 'spec.memory_bytes', 'INVALID_ARGUMENT'],
  ['a scratch disk of odd size', { scratchBytes: 33_554_433n }, 'spec.scratch_bytes', 'INVALID_ARGUMENT'],
  ['a scratch disk too small', { scratchBytes: 4096n }, 'spec.scratch_bytes', 'INVALID_ARGUMENT'],
  ['a restart that nobody asked for', { restartGeneration: 1n }, 'spec.restart_generation', 'INVALID_ARGUMENT'],
  [
    'one path for two disks',
    {
      disks: [
        { volume: 'a', mountPath: '/x' },
        { volume: 'b', mountPath: '/x' },
      ],
    },
    'spec.disks',
    'INVALID_ARGUMENT',
  ],
  ['one volume twice', { disks: [{ volume: 'a' }, { volume: 'a' }] }, 'spec.disks', 'INVALID_ARGUMENT'],
  ['a hypervisor that is not there', { hypervisor: 'xen' }, 'spec.hypervisor', 'FAILED_PRECONDITION'],
])('%s is refused with its field', (_, init, field, code) => {
  const error = caught(() => completeSpec(spec(init), limits))
  expect(isBerthError(error) && { code: error.code, fields: error.violations.map((one) => one.field) }).toEqual({ code, fields: [field] })
})

test.each([
  ['docker.io/library/Alpine:3', 'alpine-abcdef'],
  ['registry:5000/team/web_app@sha256:00', 'web-app-abcdef'],
  ['127.0.0.1:5000/9', 'instance-abcdef'],
  [`x/${'a'.repeat(80)}`, `${'a'.repeat(48)}-abcdef`],
])('an instance of %s is called %s', (image, name) => {
  expect(nameFromImage(image, 'ins_00000000000000000000abcdef')).toBe(name)
  expect(name).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/)
})

function caught(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('it was not refused')
}
