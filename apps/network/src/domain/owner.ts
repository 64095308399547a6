/** Who a port belongs to: asking twice with the same owner gives the same port. */
export type Owner = { kind: string; id: string; slot: string }

/** The owner as one word, for keeping work on one port apart from work on others. */
export function keyOf({ kind, id, slot }: Owner): string {
  return `${kind} ${id} ${slot}`
}
