type Column = Float64Array | Int32Array | Uint8Array

/** Of the columns of a ring before anything is in it: most lanes have little to do, and there may be thousands of them. */
export const COLUMN_LENGTH_MIN = 8

/** A column of twice the length, with what is in this one. */
export function grown<C extends Column>(column: C): C {
  const longer = new (column.constructor as new (length: number) => C)(column.length * 2)
  longer.set(column)
  return longer
}
