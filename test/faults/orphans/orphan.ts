/** What the audit says, as the CLI prints it. */
export interface Finding {
  readonly service: string
  readonly side: string
  readonly kind: string
  readonly name: string
  readonly resourceId?: string
}

/** One thing that is not as it should be, and how the audit must name it. */
export interface Orphan {
  readonly what: string
  readonly plant: () => unknown
  readonly finding: () => Partial<Finding>
}
export const orphan = (what: string, plant: () => unknown, finding: () => Partial<Finding>): Orphan => ({ what, plant, finding })
