import { AuditService, RemovalOutcome } from '@berth/proto/berth/audit/v1/audit_pb.ts'
import { EventService, type WatchEventsResponse } from '@berth/proto/berth/event/v1/event_pb.ts'
import { OperationService } from '@berth/proto/berth/operation/v1/operation_pb.ts'
import { clientOf, connectTo } from '@berth/rpc'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { WatchEventsRequestSchema } from '@berth/proto/berth/event/v1/event_pb.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { peerNames } from '../src/edge/peers/catalog.ts'
import { operationId } from './fake-peer.ts'
import { type Fixture, startFixture } from './fixture.ts'

describe('what the gateway answers for all services', () => {
  let fixture: Fixture
  const open = () => connectTo({ target: `127.0.0.1:${fixture.gateway.port}`, identity: fixture.key })
  beforeAll(async () => {
    fixture = await startFixture()
  })
  afterAll(() => fixture[Symbol.asyncDispose]())
  beforeEach(async () => {
    for (const peer of Object.values(fixture.peers)) {
      peer.operations.length = 0
      peer.events.length = 0
    }
  })

  describe('operations', () => {
    it('go to the service that the id names', async () => {
      using transport = open()
      const client = clientOf(OperationService, transport)
      for (const [index, name] of peerNames.entries()) {
        fixture.peers[name].addOperation(index)
        const id = operationId(name, index)
        expect((await client.getOperation({ id })).operation?.kind).toBe(`${name}.create`)
        expect((await client.cancelOperation({ id })).operation?.cancelRequested).toBe(true)
        for await (const { operation } of client.watchOperation({ id })) expect(operation?.id).toBe(id)
      }
      const missing = { code: 'NOT_FOUND', reason: 'OPERATION_NOT_FOUND' }
      await expect(client.getOperation({ id: operationId('image', 77) })).rejects.toMatchObject(missing)
      await expect(client.getOperation({ id: `zzop_${'0'.repeat(26)}` })).rejects.toMatchObject(missing)
      await expect(client.getOperation({ id: 'nonsense' })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        violations: [{ field: 'id' }],
      })
    })

    it('are waited for as long as asked, and answered a little later', async () => {
      using transport = open()
      fixture.peers.volume.addOperation(1)
      const request = { id: operationId('volume', 1), timeout: { seconds: 120n, nanos: 0 } }
      const { operation } = await clientOf(OperationService, transport).waitOperation(request, { timeoutMs: 0 })
      expect(Number(operation?.resourceName)).toBeGreaterThan(110_000)
    })

    it('are listed by time over all services, page by page, with one token', async () => {
      using transport = open()
      const client = clientOf(OperationService, transport)
      for (let number = 1; number <= 23; number++) fixture.peers[peerNames[(number * number) % 5] ?? 'image'].addOperation(number)
      const seen: number[] = []
      let pageToken = ''
      do {
        const page = await client.listOperations({ pageSize: 4, pageToken })
        expect(page.operations.length).toBeLessThanOrEqual(4)
        seen.push(...page.operations.map(({ id }) => Number(id.split('_')[1])))
        pageToken = page.nextPageToken
      } while (pageToken)
      expect(seen).toEqual(Array.from({ length: 23 }, (_, index) => index + 1))
    })

    it('refuse a token of another filter or one that was changed', async () => {
      using transport = open()
      const client = clientOf(OperationService, transport)
      for (let number = 1; number <= 4; number++) fixture.peers.image.addOperation(number)
      const { nextPageToken: pageToken } = await client.listOperations({ pageSize: 2 })
      const refused = { code: 'INVALID_ARGUMENT', reason: 'BAD_PAGE_TOKEN', violations: [{ field: 'page_token' }] }
      await expect(client.listOperations({ pageToken, filter: 'state=DONE' })).rejects.toMatchObject(refused)
      await expect(client.listOperations({ pageToken: `${pageToken}x` })).rejects.toMatchObject(refused)
    })

    it('are not listed half: a service that is down is named', async () => {
      using transport = open()
      await fixture.peers.device.stop()
      const failing = clientOf(OperationService, transport).listOperations({})
      await expect(failing).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'SERVICE_UNAVAILABLE', metadata: { service: 'device' } })
      await fixture.peers.device.start()
      await expect
        .poll(() =>
          clientOf(OperationService, transport)
            .listOperations({})
            .then(
              () => 'listed',
              () => 'down',
            ),
        )
        .toBe('listed')
    })
  })

  describe('events', () => {
    type Request = MessageInitShape<typeof WatchEventsRequestSchema>
    /** Reads until the condition holds; answers what came and the last token. */
    const readUntil = async (request: Request, enough: (seen: WatchEventsResponse[]) => boolean) => {
      using transport = open()
      const seen: WatchEventsResponse[] = []
      for await (const answer of clientOf(EventService, transport).watchEvents(request, { timeoutMs: 20_000 })) {
        seen.push(answer)
        if (enough(seen)) break
      }
      return { seen, token: seen.at(-1)?.resumeToken ?? '', names: eventNames(seen) }
    }
    const eventNames = (seen: WatchEventsResponse[]) =>
      seen.flatMap(({ event }) => (event ? [`${event.service}${event.seq}`] : [])).toSorted()

    it('of all services come in one stream, and again from its token', async () => {
      for (const name of peerNames) fixture.peers[name].addEvent()
      const all = peerNames.map((name) => `${name}1`).toSorted()
      const first = await readUntil({ fromStart: true, noFollow: true }, () => false)
      expect(first.names).toEqual(all)
      fixture.peers.network.addEvent()
      fixture.peers.image.addEvent()
      const second = await readUntil({ resumeToken: first.token, noFollow: true }, () => false)
      expect(second.names).toEqual(['image2', 'network2'])
      const third = await readUntil({ resumeToken: second.token, noFollow: true }, () => false)
      expect(third.names).toEqual([])
    })

    it('go on while a service is away, name it, and bring its events when it is back', async () => {
      await fixture.peers.volume.stop()
      let started = false
      const { seen, names } = await readUntil({}, (answers) => {
        const last = answers.at(-1)
        if (!started && last?.missing.includes('volume')) {
          started = true
          fixture.peers.network.addEvent()
          fixture.peers.volume.addEvent(Date.now() - 3_600_000)
          fixture.peers.volume.addEvent()
          void fixture.peers.volume.start()
        }
        return eventNames(answers).includes('volume2') && eventNames(answers).includes('network1')
      })
      expect(seen.some(({ missing }) => missing.includes('volume'))).toBe(true)
      expect(seen.at(-1)?.missing).toEqual([])
      expect(names).toEqual(['network1', 'volume2'])
    })

    it('refuse a token that is none of theirs', async () => {
      const refused = { code: 'INVALID_ARGUMENT', reason: 'BAD_RESUME_TOKEN' }
      await expect(readUntil({ resumeToken: 'x' }, () => true)).rejects.toMatchObject(refused)
    })
  })

  it('audits a host by asking all services', async () => {
    using transport = open()
    const { findings, host, compared } = await clientOf(AuditService, transport).auditHost({})
    expect(findings.map(({ service }) => service).toSorted()).toEqual([...peerNames].toSorted())
    expect([host, compared['file']]).toEqual(['hst_a', 10n])
  })

  it('cleans a host up by asking each service for its own, when all of it together is within the bound', async () => {
    using transport = open()
    const client = clientOf(AuditService, transport)
    for (const name of ['volume', 'network'] as const) fixture.peers[name].orphans.push(`${name} 1`, `${name} 2`)
    const refused = { code: 'FAILED_PRECONDITION', reason: 'TOO_MANY_REMOVALS', metadata: { found: '4', limit: '3' } }
    await expect(client.cleanHost({ maxRemovals: 3 })).rejects.toMatchObject(refused)
    const all = Object.values(fixture.peers).flatMap(({ cleaned }) => cleaned)
    expect(all.map(({ validateOnly }) => validateOnly)).toEqual([true, true])

    const { host, removals } = await client.cleanHost({ includeRunning: true })
    expect([host, removals.map(({ finding }) => String(finding?.name)).toSorted()]).toEqual([
      'hst_a',
      ['network 1', 'network 2', 'volume 1', 'volume 2'],
    ])
    expect(removals.every(({ outcome }) => outcome === RemovalOutcome.REMOVED)).toBe(true)
    const last = { names: ['volume 1', 'volume 2'], maxRemovals: 2, includeRunning: true, validateOnly: false }
    expect(fixture.peers.volume.cleaned.at(-1)).toEqual(last)
    expect(fixture.peers.device.cleaned).toEqual([])
  })
})
