import { unavailable } from '@berth/errors'
import {
  CleanHostResponseSchema,
  type Finding,
  FindingSchema,
  FindingSide,
  RemovalOutcome,
  RemovalOutcomeSchema,
} from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { create } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { type AskToClean, cleanHost } from './clean-host.ts'

const finding = (service: string, kind: string, name: string) => create(FindingSchema, { service, kind, name, side: FindingSide.HOST_ONLY })
const findings = [finding('volume', 'file', 'disk'), finding('instance', 'process', 'vm'), finding('network', 'tap', 'tap')]
const audit = async () => ({ findings, host: 'hst_a' })
const request = { findings: [], maxRemovals: 0, validateOnly: false }

/** Services that do what they are asked, but for what `refuse` says. */
function services(refuse: (finding: Finding, planning: boolean) => RemovalOutcome | undefined = () => undefined) {
  const done: string[] = []
  const ask: AskToClean = async (_service, { findings: asked, validateOnly }) => {
    const removals = asked.map((one) => ({
      finding: one,
      outcome: refuse(one, validateOnly) ?? (validateOnly ? RemovalOutcome.PLANNED : RemovalOutcome.REMOVED),
    }))
    done.push(...removals.filter(({ outcome }) => outcome === RemovalOutcome.REMOVED).map(({ finding: { name } }) => name))
    return create(CleanHostResponseSchema, { removals })
  }
  return { done, ask }
}
const outcomes = ({ removals }: Awaited<ReturnType<typeof cleanHost>>) =>
  Object.fromEntries(removals.map(({ finding: one, outcome }) => [one?.name, RemovalOutcomeSchema.value[outcome]?.localName]))

it('ends VMs before anything else goes', async () => {
  const { done, ask } = services()
  expect(outcomes(await cleanHost(request, audit, ask))).toEqual({ disk: 'REMOVED', vm: 'REMOVED', tap: 'REMOVED' })
  expect(done[0]).toBe('vm')
})

it('only says what would go when asked to, however much it is', async () => {
  const { done, ask } = services()
  const planned = await cleanHost({ ...request, validateOnly: true, maxRemovals: 1 }, audit, ask)
  expect([outcomes(planned), done]).toEqual([{ disk: 'PLANNED', vm: 'PLANNED', tap: 'PLANNED' }, []])
})

it('removes nothing at all when it is one too many', async () => {
  const { done, ask } = services()
  const refused = { code: 'FAILED_PRECONDITION', reason: 'TOO_MANY_REMOVALS', metadata: { found: '3', limit: '2' } }
  await expect(cleanHost({ ...request, maxRemovals: 2 }, audit, ask)).rejects.toMatchObject(refused)
  expect(done).toEqual([])
})

it('does not begin with more than one call can be about', async () => {
  const many = Array.from({ length: 10_001 }, (_, index) => finding('network', 'rule', String(index)))
  const { done, ask } = services()
  const refused = { reason: 'TOO_MANY_REMOVALS', metadata: { found: '10001', limit: '10000' } }
  await expect(cleanHost({ ...request, maxRemovals: 10_000 }, async () => ({ findings: many, host: '' }), ask)).rejects.toMatchObject(
    refused,
  )
  expect(done).toEqual([])
})

it('does not count what is kept', async () => {
  const { done, ask } = services(({ kind }) => (kind === 'process' ? RemovalOutcome.KEPT : undefined))
  expect(outcomes(await cleanHost({ ...request, maxRemovals: 1 }, audit, ask))).toEqual({ disk: 'KEPT', vm: 'KEPT', tap: 'KEPT' })
  expect(done).toEqual([])
})

it('keeps disk and tap when the VM that may use them did not end', async () => {
  const { done, ask } = services(({ kind }, planning) => (kind === 'process' && !planning ? RemovalOutcome.FAILED : undefined))
  expect(outcomes(await cleanHost(request, audit, ask))).toEqual({ disk: 'KEPT', vm: 'FAILED', tap: 'KEPT' })
  expect(done).toEqual([])
})

it('removes nothing when a service cannot say what it would', async () => {
  const { done, ask } = services()
  const silent: AskToClean = async (service, asked) => {
    if (service === 'volume') throw unavailable('SERVICE_UNAVAILABLE', 'volume is away')
    return ask(service, asked)
  }
  await expect(cleanHost(request, audit, silent)).rejects.toMatchObject({ reason: 'SERVICE_UNAVAILABLE' })
  expect(done).toEqual([])
})

it('tells what a service refuses in the end beside what others did', async () => {
  const { ask } = services()
  const failing: AskToClean = async (service, asked) => {
    if (service === 'volume' && !asked.validateOnly) throw unavailable('SERVICE_UNAVAILABLE', 'volume is away')
    return ask(service, asked)
  }
  const answer = await cleanHost(request, audit, failing)
  expect(outcomes(answer)).toEqual({ disk: 'FAILED', vm: 'REMOVED', tap: 'REMOVED' })
  expect(answer.removals.find(({ finding: one }) => one?.name === 'disk')?.message).toBe('volume is away')
})
