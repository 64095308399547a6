import { setTimeout as delay } from 'node:timers/promises'
import { destroy, type Guest, look, make, reaches, runIn } from './places.ts'
import { type Round, type Shot, shotText } from './plan.ts'
import { cleanAudit, noOpenOperations } from './quiesce.ts'
import { type Range, shoot } from './shoot.ts'

/** A run: the system, the VM of each place, and what was found against the product. */
export interface Soak extends Range {
  readonly image: string
  readonly faults: string[]
  readonly counts: { rounds: number; shots: number; creates: number; deletes: number; execs: number; cut: number }
}

/** Load, shots, healing, quiet, and all that must hold then. */
export async function runRound(soak: Soak, round: Round, signal: AbortSignal): Promise<void> {
  const { say, system, counts } = soak
  say(`round ${round.number}: ${round.shots.map(shotText).join(', ')}; renewed: ${renewed(round).join(' ')}`)
  const before = [...soak.guests]
  const quiet = new AbortController()
  const load = round.places.map((action, place) => (action === 'renew' ? renew(soak, round, place) : keep(soak, place, quiet.signal)))
  await fire(soak, round.shots, signal)
  await Promise.all(round.places.flatMap((action, place) => (action === 'renew' ? (load[place] ?? []) : [])))
  quiet.abort()
  await Promise.all(load)
  await check(soak, 'operations end', () => noOpenOperations(system.api))
  for (const [place, action] of round.places.entries())
    if (action === 'keep') await check(soak, `place ${place}`, () => compare(soak, before[place], place, round.shots))
  await check(soak, 'the audit', async () =>
    say(`  audit clean after ${Math.round(await cleanAudit(system.api, soak.guests.length * 10))} ms`),
  )
  for (const [place, guest] of soak.guests.entries()) await check(soak, `place ${place}`, () => onNetwork(soak, guest, place, round.shots))
  counts.rounds += 1
}

async function fire(soak: Soak, shots: readonly Shot[], signal: AbortSignal): Promise<void> {
  const start = performance.now()
  const heals: (() => Promise<void>)[] = []
  for (const shot of shots) {
    await delay(Math.max(0, shot.atMs - (performance.now() - start)), undefined, { signal }).catch(() => undefined)
    if (signal.aborted) break
    heals.push(await shoot(shot, soak))
    soak.counts.shots += 1
  }
  const restarts = (index: number) => shots[index]?.kind === 'kill-supervisor' || shots[index]?.kind === 'kill-everything'
  for (const [index, heal] of heals.entries()) if (!restarts(index)) await heal()
  // The supervisor last, when nothing is held any more. Once is enough for all who killed it.
  await heals.find((_, index) => restarts(index))?.()
}

async function keep(soak: Soak, place: number, signal: AbortSignal): Promise<void> {
  const guest = soak.guests[place]
  if (!guest) return
  const { well, cut } = await runIn(soak.system.api, guest, signal, (fault) => fail(soak, fault))
  soak.counts.execs += well
  soak.counts.cut += cut
}

async function renew(soak: Soak, round: Round, place: number): Promise<void> {
  const name = `soak-${place}-${round.number}`
  await check(soak, `renewing place ${place}`, async () => {
    const { api } = soak.system
    const old = soak.guests[place]
    if (old) await destroy(api, old)
    soak.counts.deletes += 1
    soak.guests[place] = await make(api, name, soak.image)
    soak.counts.creates += 1
  })
}

/** A guest that was not shot itself is the same VMM and the same boot; one that was runs again. */
async function compare(soak: Soak, before: Guest | undefined, place: number, shots: readonly Shot[]): Promise<void> {
  if (!before) return
  const now = await look(soak.system.api, before.name)
  soak.guests[place] = now
  const killed = shots.some(({ kind, target }) => kind === 'kill-vmm' && target === String(place))
  if (killed === (now.bootId !== before.bootId) && killed === (now.vmm.startTicks !== before.vmm.startTicks)) return
  throw new Error(
    `${before.name} was ${killed ? '' : 'not '}shot: boot ${before.bootId} → ${now.bootId}, VMM ${before.vmm.pid} → ${now.vmm.pid}`,
  )
}

/** A tap that was deleted cannot be given back to a running VMM: that guest is made anew. */
async function onNetwork(soak: Soak, guest: Guest, place: number, shots: readonly Shot[]): Promise<void> {
  const lost = shots.some(({ kind, target }) => kind === 'delete-tap' && target === String(place))
  if (await reaches(soak.system.api, guest)) return
  if (!lost) throw new Error(`${guest.name} does not reach its gateway`)
  soak.say(`  ${guest.name} has lost its tap and is made anew`)
  await destroy(soak.system.api, guest)
  soak.guests[place] = await make(soak.system.api, `${guest.name}-again`, soak.image)
}

async function check(soak: Soak, what: string, look: () => Promise<unknown>): Promise<void> {
  try {
    await look()
  } catch (error) {
    fail(soak, `${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function fail(soak: Soak, text: string): void {
  if (soak.faults.includes(text)) return
  soak.faults.push(text)
  soak.say(`  FAULT ${text}`)
}

function renewed({ places }: Round): number[] {
  return places.flatMap((action, place) => (action === 'renew' ? [place] : []))
}
