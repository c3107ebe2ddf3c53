// The body of a batch: `[a,b,c]`, or one value on each line. With envelopes each value stands in an object that names it.

const OPEN_ARRAY = 91
const CLOSE_ARRAY = 93
const CLOSE_OBJECT = 125
const COMMA = 44
const SPACE = 32
const LINE_FEED = 10
const CARRIAGE_RETURN = 13

/** One record in the body. */
export interface BodyPart {
  /** JSON. */
  readonly body: Buffer
  /** What stands before the value, up to its colon, in ASCII; empty without envelopes. */
  readonly envelope: string
}

/** Bytes of the body beside those of its parts. */
export const FRAME_BYTES = 1

/** What a part adds to the body: its own bytes, what closes its envelope, and what comes after it. */
export const partBytes = ({ body, envelope }: BodyPart): number => body.length + 1 + (envelope === '' ? 0 : envelope.length + 1)

/** An envelope up to its value. Nothing of the given needs to be escaped in JSON: uids, names of clusters and topics, numbers. */
export const envelopeOf = (id: string, record: string, attempt: string): string =>
  `{"id":"${id}","record":"${record}","attempt":"${attempt}","value":`

/** Puts the first `count` parts together, which are `bytes` long with their frame. */
export function joinParts(parts: readonly BodyPart[], count: number, bytes: number, isNdjson: boolean): Buffer {
  const out = Buffer.allocUnsafeSlow(isNdjson ? bytes - FRAME_BYTES : bytes)
  let at = 0
  if (!isNdjson) out[at++] = OPEN_ARRAY
  for (let i = 0; i < count; i++) {
    const { body, envelope } = parts[i]!
    if (envelope !== '') at += out.write(envelope, at, 'latin1')
    out.set(body, at)
    if (isNdjson) keepOnLine(out, at, body)
    at += body.length
    if (envelope !== '') out[at++] = CLOSE_OBJECT
    out[at++] = isNdjson ? LINE_FEED : i === count - 1 ? CLOSE_ARRAY : COMMA
  }
  return out
}

/** In JSON a line break stands between tokens only, never in a string: a space says the same. */
function keepOnLine(out: Buffer, at: number, body: Buffer): void {
  for (const byte of [LINE_FEED, CARRIAGE_RETURN])
    for (let pos = body.indexOf(byte); pos >= 0; pos = body.indexOf(byte, pos + 1)) out[at + pos] = SPACE
}
