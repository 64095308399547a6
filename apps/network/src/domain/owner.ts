/** Who a port belongs to: asking twice with the same owner gives the same port. */
export type Owner = { kind: string; id: string; slot: string }
