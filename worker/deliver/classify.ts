import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'

/** Why an attempt got no answer. */
export interface Failure {
  readonly reason: Reason
  /** One line for the log: no credentials, and the same text for the same failure, so that failures can be grouped by it. */
  readonly text: string
}

/** The fields that errors of Node, OpenSSL and undici have beside a message; all are checked before use. */
interface Facts {
  readonly name?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly syscall?: unknown
  /** OpenSSL's own words: without the thread's id and the source line, which differ from time to time. */
  readonly reason?: unknown
  readonly errors?: unknown
  readonly cause?: unknown
}

const TEXT_LENGTH_MAX = 200
const CAUSES_MAX = 3

const byCode: Readonly<Record<string, Reason>> = {
  UND_ERR_CONNECT_TIMEOUT: Reason.CONNECTION_FAILED,
  UND_ERR_HEADERS_TIMEOUT: Reason.TIMEOUT,
  UND_ERR_BODY_TIMEOUT: Reason.TIMEOUT,
  UND_ERR_HEADERS_OVERFLOW: Reason.INVALID_RESPONSE,
  UND_ERR_RES_EXCEEDED_MAX_SIZE: Reason.INVALID_RESPONSE,
  // undici finds the lengths to differ when the connection has ended.
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: Reason.CONNECTION_RESET,
  UND_ERR_SOCKET: Reason.CONNECTION_RESET,
  UND_ERR_ABORT: Reason.ABORTED,
  UND_ERR_ABORTED: Reason.ABORTED,
  UND_ERR_DESTROYED: Reason.ABORTED,
  UND_ERR_CLOSED: Reason.ABORTED,
  FERRY_ANSWER_FLOOD: Reason.INVALID_RESPONSE,
  FERRY_EGRESS_BLOCKED: Reason.ENDPOINT_BLOCKED,
  FERRY_PROXY_FAILED: Reason.CONNECTION_FAILED,
  FERRY_PROXY_REFUSED: Reason.CONNECTION_FAILED,
  ECONNREFUSED: Reason.CONNECTION_FAILED,
  ENOTFOUND: Reason.DNS_FAILED,
  EAI_AGAIN: Reason.DNS_FAILED,
  // undici's parser has met something that its author held to be impossible, such as a status of 099.
  ERR_ASSERTION: Reason.INVALID_RESPONSE,
}

const byName: Readonly<Record<string, Reason>> = {
  // Without a code in this version of undici.
  HTTPParserError: Reason.INVALID_RESPONSE,
  TimeoutError: Reason.TIMEOUT,
  AbortError: Reason.ABORTED,
}

/** A socket that undici gave up because of what came over it. */
const badAnswer = /^bad (response|upgrade)$/
/** The answer had no end when the connection had one. */
const endedEarly = /\(Invalid EOF state\)$/
/** Codes of OpenSSL's certificate check, of its protocol errors, and of Node's own check of the name. */
const tlsCode =
  /^(ERR_(TLS|SSL|OSSL)_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERROR_IN_C|INVALID_(CA|PURPOSE)$|PATH_LENGTH_|HOSTNAME_MISMATCH$|EPROTO$)/
/** Node's advice to whoever runs it; it is no part of what happened, and wrong here. */
const nodeAdvice = /; if the root CA is installed locally.*$/
const tlsUnfinished = /before secure TLS connection was established/

/** Says why a request got no whole answer, from what undici or Node reported. What is unknown is a broken connection. */
export function classifyError(error: unknown): Failure {
  let facts = factsOf(error)
  for (let depth = 0; depth < CAUSES_MAX && reasonOf(facts) === undefined && facts.cause !== undefined; depth++)
    facts = factsOf(facts.cause)
  return { reason: reasonOf(facts) ?? Reason.CONNECTION_RESET, text: oneLine(textOf(facts)) }
}

const factsOf = (error: unknown): Facts => (typeof error === 'object' && error !== null ? error : { message: String(error) })

function reasonOf(facts: Facts): Reason | undefined {
  // All addresses of a host failed: the first is as good as any.
  if (Array.isArray(facts.errors) && facts.errors.length > 0) return reasonOf(factsOf(facts.errors[0]))
  const code = String(facts.code ?? '')
  const message = String(facts.message ?? '')
  if (badAnswer.test(message)) return Reason.INVALID_RESPONSE
  if (facts.syscall === 'getaddrinfo') return Reason.DNS_FAILED
  if (facts.syscall === 'connect') return Reason.CONNECTION_FAILED
  if (tlsCode.test(code) || tlsUnfinished.test(message)) return Reason.TLS_FAILED
  if (endedEarly.test(message)) return Reason.CONNECTION_RESET
  if (Object.hasOwn(byCode, code)) return byCode[code]
  const name = String(facts.name ?? '')
  if (Object.hasOwn(byName, name)) return byName[name]
  // read ECONNRESET, write EPIPE, read ETIMEDOUT, read EHOSTUNREACH and their like.
  return /^E[A-Z]+$/.test(code) ? Reason.CONNECTION_RESET : undefined
}

function textOf(facts: Facts): string {
  if (Array.isArray(facts.errors) && facts.errors.length > 0)
    return [...new Set(facts.errors.map((each) => textOf(factsOf(each))))].join('; ')
  const code = typeof facts.code === 'string' ? facts.code : ''
  const message = String(facts.message ?? '').replace(nodeAdvice, '')
  if (code.startsWith('ERR_SSL_') && typeof facts.reason === 'string') return `${facts.reason} (${code})`
  if (code === 'ERR_ASSERTION') return 'the answer is not HTTP (ERR_ASSERTION)'
  return code === '' || message.includes(code) ? message : `${message} (${code})`
}

/** Messages name hosts, not URLs; should one hold a URL after all, its user and password go. */
function oneLine(text: string): string {
  const clean = text
    .replace(/[^\x20-\x7e\xa0-\u{10ffff}]+/gu, ' ')
    .replace(/\/\/[^\s/?#]*@/g, '//')
    .trim()
  return clean === '' ? 'unknown error' : clean.slice(0, TEXT_LENGTH_MAX)
}
