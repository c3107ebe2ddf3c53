/** How Avro values are printed as JSON. */
export interface AvroOptions {
  /** A long as a number with all its digits, not as a string. */
  readonly longAsNumber: boolean
  /** A union's value in an object with its type's name, as Avro's own JSON encoding has it. */
  readonly wrapUnions: boolean
  /** Logical types as what they stand on. */
  readonly plainLogicalTypes: boolean
}

export const defaultAvroOptions: AvroOptions = { longAsNumber: false, wrapUnions: false, plainLogicalTypes: false }
