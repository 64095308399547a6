import type { DescMethod } from '@bufbuild/protobuf'
import type { ContextValues } from '@connectrpc/connect'

/** What is known of a call before its body is looked at. */
export type Call = { method: DescMethod; header: Headers; values: ContextValues }

/** One check before a call's body is read; throws to refuse it. */
export type Gate = (call: Call) => void | Promise<void>

/** Lets a call through all gates in their order; the first that throws refuses it. */
export async function admit(gates: Gate[], call: Call): Promise<void> {
  for (const gate of gates) await gate(call)
}
