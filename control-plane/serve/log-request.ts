import { randomUUID } from 'node:crypto'
import { Code, ConnectError, type Interceptor, type StreamResponse } from '@connectrpc/connect'
import { BadRequestSchema } from '../../proto/gen/google/rpc/error_details_pb.ts'
import { internalError, reasonOf, withReason } from './errors.ts'
import { hideSecrets } from './hide-secrets.ts'
import type { Log } from './log.ts'
import { markLogged } from './logged-mark.ts'

/** Unary calls that take longer are logged although they succeed. */
export type LogRequestOptions = { readonly log: Log; readonly slowMs: number }

type CallFields = { readonly call: string; readonly durationMs: number; readonly stream: boolean }

/**
 * Logs each failed call and each slow one, and makes of every thrown value what a caller may see: a ConnectError goes out as it
 * is, anything else as INTERNAL with an id that is in the log too. Neither requests nor headers are logged.
 */
export function logRequest({ log, slowMs }: LogRequestOptions): Interceptor {
  return (next) => async (request) => {
    const startMs = performance.now()
    const call = `${request.service.typeName}/${request.method.name}`
    const fail = (reason: unknown): ConnectError => {
      const durationMs = Math.round(performance.now() - startMs)
      return logFailure(log, { call, durationMs, stream: request.stream }, reason, request.signal)
    }
    markLogged(request.contextValues)
    try {
      const response = await next(request)
      if (response.stream) return { ...response, message: watched(response, fail) }
      const durationMs = Math.round(performance.now() - startMs)
      if (durationMs >= slowMs) log.warn({ call, durationMs }, 'slow call')
      return response
    } catch (reason) {
      throw fail(reason)
    }
  }
}

async function* watched(response: StreamResponse, fail: (reason: unknown) => ConnectError): StreamResponse['message'] {
  try {
    yield* response.message
  } catch (reason) {
    throw fail(reason)
  }
}

function logFailure(log: Log, fields: CallFields, reason: unknown, signal: AbortSignal): ConnectError {
  const planned = asPlanned(reason, signal)
  if (planned === undefined) {
    const errorId = randomUUID()
    log.error({ ...fields, code: 'INTERNAL', errorId, error: errorText(reason) }, 'call failed: internal error')
    return internalError(errorId)
  }
  const error = withReason(planned)
  // A client ends a stream by cancelling it: that is no failure.
  if (!(fields.stream && error.code === Code.Canceled)) {
    const reason = reasonOf(error)
    const level = reason === 'SERVER_STOPPING' ? 'info' : levelOf(error.code)
    log[level]({ ...fields, code: codeName(error.code), reason, ...explain(error) }, 'call failed')
  }
  return error
}

/** The error when it was meant for the caller, or comes from the call's own end; undefined when nobody planned it. */
function asPlanned(reason: unknown, signal: AbortSignal): ConnectError | undefined {
  if (reason instanceof ConnectError) return reason
  const isAbort = reason instanceof Error && (reason.name === 'AbortError' || reason === signal.reason)
  if (!signal.aborted || !isAbort) return undefined
  return signal.reason instanceof ConnectError ? signal.reason : new ConnectError('the client went away', Code.Canceled)
}

/** Violations quote what the caller sent, so only the fields and rules are logged of them. */
function explain(error: ConnectError): object {
  const violations = error.findDetails(BadRequestSchema).flatMap((each) => each.fieldViolations)
  if (violations.length > 0) return { violations: violations.map(({ field, reason }) => ({ field, reason })) }
  const cause = error.cause === undefined ? {} : { error: errorText(error.cause) }
  return error.code === Code.InvalidArgument ? cause : { text: hideSecrets(error.rawMessage), ...cause }
}

function errorText(reason: unknown): string {
  return hideSecrets(reason instanceof Error ? (reason.stack ?? String(reason)) : String(reason))
}

/** DeadlineExceeded as DEADLINE_EXCEEDED, the way that gRPC writes it. */
export function codeName(code: Code): string {
  return Code[code].replaceAll(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase()
}

function levelOf(code: Code): 'info' | 'warn' | 'error' {
  switch (code) {
    case Code.Internal:
    case Code.Unknown:
    case Code.DataLoss:
      return 'error'
    case Code.Unavailable:
    case Code.ResourceExhausted:
    case Code.DeadlineExceeded:
      return 'warn'
    default:
      return 'info'
  }
}
