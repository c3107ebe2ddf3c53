import { loadOrderType } from './order-message.ts'
import type { Payload } from './records.ts'

/** What a hand-written consumer makes of a record's value before it sends it. */
export interface BodyMaker {
  /** Decodes to an object and writes that as JSON again: what most teams' code does, since it looks at the object between. */
  readonly rewrite: (value: Buffer) => string
  /** As little as can be: JSON is parsed, so that nothing else is ever sent, and goes out as the bytes that came in. */
  readonly pass: (value: Buffer) => Buffer | string
}

export function bodyMaker(payload: Payload): BodyMaker {
  if (payload !== 'protobuf') {
    return {
      rewrite: (value) => JSON.stringify(JSON.parse(value.toString())),
      pass: (value) => {
        JSON.parse(value.toString())
        return value
      },
    }
  }
  const type = loadOrderType()
  const decode = (value: Buffer): string =>
    JSON.stringify(type.toObject(type.decode(value), { longs: String, enums: String, bytes: String }))
  return { rewrite: decode, pass: decode }
}
