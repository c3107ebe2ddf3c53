/** What JSON can hold. Numbers must be whole and safe: nothing else is in a certificate, and each has one form in every language. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined }

/** The JSON Canonicalization Scheme, RFC 8785: names sorted by UTF-16 code units, no spaces. What is undefined is left out. */
export function canonicalJson(value: Json): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new RangeError(`${value} is not a whole number below 2^53`)
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const fields = Object.entries(value as Record<string, Json | undefined>).filter((field): field is [string, Json] => {
    return field[1] !== undefined
  })
  fields.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join(',')}}`
}
