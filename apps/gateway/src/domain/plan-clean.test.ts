import {
  type Finding,
  FindingSchema,
  FindingSide,
  type Removal,
  RemovalOutcome,
  RemovalSchema,
} from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { cleanScope, plannedOf, spareRunning } from './plan-clean.ts'

const finding = (service: string, kind: string, name: string, side: FindingSide = FindingSide.HOST_ONLY): Finding =>
  create(FindingSchema, { service, kind, name, side })
const removal = (of: Finding, outcome: RemovalOutcome): Removal => create(RemovalSchema, { finding: of, outcome })
const asked = (...given: Parameters<typeof cleanScope>) =>
  Object.fromEntries([...cleanScope(...given).asked].map(([service, findings]) => [service, findings.map(({ name }) => name)]))

const file = finding('volume', 'file', 'a')
const tap = finding('network', 'tap', 'b')
const process = finding('instance', 'process', 'berth-shim 7')
const { PLANNED, REMOVED, KEPT, FAILED } = RemovalOutcome

it('asks each service for what it has on the host alone, and for nothing else', () => {
  const others = [FindingSide.DATABASE_ONLY, FindingSide.MISMATCH].map((side) => finding('volume', 'row', 'c', side))
  expect(asked([file, tap, ...others], [])).toEqual({ volume: ['a'], network: ['b'] })
})

it('asks for nothing that the audit does not find, whoever names it', () => {
  const scope = cleanScope(
    [file, tap],
    [file, finding('volume', 'file', 'not found'), finding('network', 'tap', 'b', FindingSide.MISMATCH)],
  )
  expect([...scope.asked.keys()]).toEqual(['volume', 'network'])
  expect(scope.kept.map(({ finding: one, outcome }) => [one?.name, outcome])).toEqual([['not found', KEPT]])
})

it('leaves to its owner what a row holds', () => {
  const { asked: services, kept } = cleanScope([finding('volume', 'grant', 'ins_gone/scratch')], [])
  expect([services.size, kept.map(({ outcome }) => outcome)]).toEqual([0, [KEPT]])
})

it.each([
  ['is kept', [removal(process, KEPT)]],
  ['could not be ended', [removal(process, FAILED)]],
  ['the clean-up is not about', []],
])('keeps what may be of a VM that runs and %s', (_, vms) => {
  const all = spareRunning([file, tap, process], [...vms, removal(file, PLANNED), removal(tap, PLANNED)])
  expect(plannedOf(all)).toEqual([])
  expect(all.slice(vms.length).every(({ outcome, message }) => outcome === KEPT && message.includes('berth-shim 7'))).toBe(true)
})

it.each([PLANNED, REMOVED])('lets it go with a VM that is to end or has', (outcome) => {
  expect(plannedOf(spareRunning([file, process], [removal(process, outcome), removal(file, PLANNED)]))).toContain(file)
})
