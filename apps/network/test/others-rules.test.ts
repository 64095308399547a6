import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { answerOf, lossOf } from './probe.ts'
import { bridge, createWorld, portNumber } from './world.ts'

const recorded = (name: string) => join(import.meta.dirname, 'rulesets', `${name}.nft`)
const [first, second] = [portNumber(2), portNumber(3)]

describe.each([[['docker']], [['ufw']], [['firewalld']], [['docker', 'ufw']]])('beside the rules of %s', (others) => {
  it('guests reach each other, the world and their DNS after our accept rules, and not before; the clean-up leaves only theirs', async () => {
    await using world = await createWorld([first, second])
    const outside = await world.outside()
    const a = await world.guest(first)
    await world.guest(second)
    for (const name of others) await world.host.must('nft', '-f', recorded(name))
    const rulesNow = () => world.host.must('nft', '-s', 'list', 'ruleset')
    expect(await answerOf(outside, a, '192.0.2.2', 80)).toBe('')
    const before = (await world.network.inspect(world.config, world.signal)).drift.filter(({ kind }) => kind === 'rule')
    expect(before.length).toBeGreaterThan(0)

    const accepts = await world.network.apply(world.config, world.signal)
    expect(accepts.length).toBe(before.length)
    expect(await answerOf(outside, a, '192.0.2.2', 80)).toBe('reached')
    expect(await lossOf(a, '2001:db8::2', '-6')).toBe(0)
    expect(await lossOf(a, second.ipv4)).toBe(0)
    expect(await answerOf(world.host, a, bridge.ipv4Gateway, 53)).toBe('reached')
    expect(await answerOf(world.host, a, bridge.ipv4Gateway, 22)).toBe('')
    expect(await world.network.apply(world.config, world.signal)).toEqual(accepts)
    expect((await rulesNow()).match(/comment "berth br-abcdaaaa"/g)).toHaveLength(accepts.length)

    await world.network.cleanUp(world.config, world.signal)
    expect(await rulesNow()).not.toContain('berth')
    expect(await rulesNow()).toContain('chain')
  })
})
