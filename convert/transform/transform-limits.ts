/** What one transform of a record may take: it runs between the requests of all use cases. */
export interface TransformLimits {
  /** Fields and list elements that its steps look at, together. */
  readonly fieldsMax: number
  /** Characters of the body that comes out. */
  readonly bodyCharsMax: number
}

export const defaultTransformLimits: TransformLimits = { fieldsMax: 500_000, bodyCharsMax: 64 * 1024 * 1024 }
