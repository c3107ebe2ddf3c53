/** A JSON value as JavaScript has it; whole numbers that a double does not hold are bigint. */
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | { [name: string]: JsonValue }

/** Shorter numbers are exact, or are no whole numbers. */
const longNumber = /\d{16}/

/** Parses JSON without changing whole numbers: 9007199254740993 stays what it is. The text must be JSON. */
export function parseJson(text: string): JsonValue {
  return longNumber.test(text) ? (JSON.parse(text, exactly as Reviver) as JsonValue) : (JSON.parse(text) as JsonValue)
}

type Reviver = (this: unknown, key: string, value: unknown) => unknown

/** `source` is the number as it is written; only numbers, texts and words have one. */
function exactly(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value
  return /^-?\d+$/.test(source) ? BigInt(source) : value
}
