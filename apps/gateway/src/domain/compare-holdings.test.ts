import { FindingSchema, FindingSide, HoldingOwnerSchema, HoldingSchema } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { compareHoldings, foundTwice } from './compare-holdings.ts'

const holding = (service: string, ownerId: string, slot: string, resourceId = '') =>
  create(HoldingSchema, { service, ownerId, slot, resourceId })
const owner = (id: string, ...expected: [string, string][]) =>
  create(HoldingOwnerSchema, { id, expected: expected.map(([service, slot]) => ({ service, slot })) })
const sides = { [FindingSide.HOST_ONLY]: 'HOST_ONLY', [FindingSide.DATABASE_ONLY]: 'DATABASE_ONLY' } as Record<FindingSide, string>
const lines = (ledger: Parameters<typeof compareHoldings>[0]) =>
  compareHoldings(ledger).map(({ side, service, kind, name, resourceId }) => [sides[side], service, kind, name, resourceId].join(' '))

it('finds nothing where everybody has what is there for them', () => {
  const holdings = [
    holding('volume', 'ins_a', 'scratch', 'vol_1'),
    holding('network', 'ins_b', 'nic0', 'prt_1'),
    holding('image', 'hst_a', 'kernel'),
  ]
  expect(lines({ holdings, owners: [owner('ins_a', ['volume', 'scratch']), owner('ins_b')] })).toEqual([])
})

it('names what is held for nobody', () => {
  expect(lines({ holdings: [holding('volume', 'ins_gone', 'scratch', 'vol_1')], owners: [] })).toEqual([
    'HOST_ONLY volume grant ins_gone/scratch vol_1',
  ])
})

it('names what somebody lacks; a holding of another service or slot is none', () => {
  const holdings = [holding('volume', 'ins_a', 'nic0'), holding('network', 'ins_a', 'nic1')]
  expect(lines({ holdings, owners: [owner('ins_a', ['network', 'nic0'])] })).toEqual(['DATABASE_ONLY network grant ins_a/nic0 ins_a'])
})

it('counts only what two looks found', () => {
  const [passing, staying] = ['passing', 'staying'].map((name) => create(FindingSchema, { service: 'image', kind: 'file', name }))
  expect(
    foundTwice(
      [passing, staying].flatMap((it) => it ?? []),
      [staying].flatMap((it) => it ?? []),
    ),
  ).toEqual([staying])
})
