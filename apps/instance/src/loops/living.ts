import { isDeepStrictEqual } from 'node:util'
import type { VmPlace } from '../domain/machine.ts'
import type { Hypervisor, Look, Loss, Vm } from '../domain/ports.ts'
import { type AgentKeeper, keepAgent } from './agent-keeper.ts'

/** A VM that lives, with what watches it. */
export type Living = {
  vm: Vm
  agents: AgentKeeper
  /** Whether this process has asked its guest to stop. */
  stopAsked: boolean
  /** What was taken away under it, as of the last look. */
  losses: readonly Loss[]
}

/** The VMs of this host that live, as far as anybody has looked. Memory only: what is true is found by attaching. */
export type LivingVms = {
  /** Looks whether the VM of this place lives, and watches it from then on; journal entries up to `seen` are known already. */
  look(place: VmPlace, seen: number, signal: AbortSignal, how?: Look): Promise<Living | undefined>
  /** Watches a VM that was just started. */
  take(vm: Vm, seen: number): Living
  /** What an earlier look found. */
  known(instanceId: string): Living | undefined
  /** Ends all watching; the VMs live on. */
  [Symbol.dispose](): void
}

type Kept = Living & { end: AbortController }

/** What is deleted under a VM is noticed within this time and a moment. */
const lossesEveryMs = 3_000

/**
 * @param wake called with an instance's id when something happened to its VM, its agent or its workload
 */
export function livingVms(hypervisor: Hypervisor, wake: (instanceId: string) => void): LivingVms {
  const kept = new Map<string, Kept>()

  function drop(instanceId: string, only?: Vm): void {
    const one = kept.get(instanceId)
    if (!one || (only && one.vm !== only)) return
    kept.delete(instanceId)
    one.end.abort()
    one.vm.release()
  }

  function take(vm: Vm, seen: number): Living {
    const id = vm.place.instanceId
    const before = kept.get(id)
    if (before && sameProcess(before.vm, vm)) {
      if (before.vm !== vm) vm.release()
      return before
    }
    drop(id)
    const end = new AbortController()
    const one: Kept = { vm, end, stopAsked: false, losses: [], agents: keepAgent(vm, () => wake(id), end.signal) }
    kept.set(id, one)
    void watch(one, seen)
    return one
  }

  /** Wakes at every entry of the journal, and when the shim goes: whoever is woken looks for himself. */
  async function watch({ vm, end }: Kept, seen: number): Promise<void> {
    const id = vm.place.instanceId
    try {
      for await (const event of vm.watch(seen, end.signal)) if (event) wake(id)
    } catch {
      // The shim went away; the look that follows finds the VMM or its end.
    }
    if (end.signal.aborted) return
    drop(id, vm)
    wake(id)
  }

  /** Looks whether anything was taken away under a VM. */
  async function lookForLosses(): Promise<void> {
    for (const [id, one] of [...kept]) {
      const losses = await one.vm.losses()
      if (kept.get(id) !== one || isDeepStrictEqual(losses, one.losses)) continue
      one.losses = losses
      wake(id)
    }
  }

  let looking: Promise<void> | undefined
  const timer = setInterval(() => {
    looking ??= lookForLosses()
      .catch(() => undefined)
      .finally(() => {
        looking = undefined
      })
  }, lossesEveryMs)

  return {
    take,
    known: (instanceId) => kept.get(instanceId),
    async look(place, seen, signal, how) {
      const vm = await hypervisor.attach(place, signal, how)
      if (vm) return take(vm, seen)
      drop(place.instanceId)
      return undefined
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      for (const id of [...kept.keys()]) drop(id)
    },
  }
}

function sameProcess(a: Vm, b: Vm): boolean {
  return a.process.pid === b.process.pid && a.process.startTicks === b.process.startTicks
}
