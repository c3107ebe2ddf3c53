// W3C Trace Context, as records carry it in their headers and calls in theirs.

/** What is sent as traceparent and, when there is one, tracestate. */
export interface TraceContext {
  readonly traceparent: string
  readonly tracestate: string | undefined
}

/** Version 00; a later version may say more after a dash. Version ff, and ids of zeros only, are invalid. */
const traceparentForm = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[\x21-\x7e]{1,64})?$/
const memberForm = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/** Nobody need pass on more, and a record must not decide how long a request's headers are. */
const TRACESTATE_LENGTH_MAX = 512
const TRACEPARENT_LENGTH_MAX = 120
const MEMBERS_MAX = 32

type HeaderValue = Buffer | string | readonly (Buffer | string)[] | undefined

/** Takes a record's headers. Undefined without a valid traceparent; a tracestate that is not valid is left out. */
export function readTraceContext(headers: Readonly<Record<string, HeaderValue>>): TraceContext | undefined {
  const given = headers['traceparent']
  if (given === undefined) return undefined
  const traceparent = textOf(given)
  if (traceparent.length > TRACEPARENT_LENGTH_MAX || !traceparentForm.test(traceparent)) return undefined
  if (traceparent.startsWith('00') && traceparent.length !== 55) return undefined
  const state = headers['tracestate']
  return { traceparent, tracestate: state === undefined ? undefined : readTracestate(textOf(state)) }
}

function readTracestate(text: string): string | undefined {
  if (text.length > TRACESTATE_LENGTH_MAX) return undefined
  const members = text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
  if (members.length === 0 || members.length > MEMBERS_MAX) return undefined
  return members.every((each) => memberForm.test(each)) ? members.join(',') : undefined
}

/** Several headers of one name are one list, as in HTTP; so two traceparents are no valid one. */
function textOf(value: Exclude<HeaderValue, undefined>): string {
  if (typeof value === 'string') return value
  return Buffer.isBuffer(value) ? value.toString('latin1') : value.map(textOf).join(',')
}
