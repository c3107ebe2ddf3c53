import { Code, type Interceptor, type StreamResponse } from '@connectrpc/connect'
import { ferryError } from './errors.ts'

export type BoundCallOptions = {
  /** No unary call runs longer, whatever deadline its caller gave. */
  readonly callTimeoutMs: number
  /** Aborted when the server stops: streams end then. */
  readonly stopping: AbortSignal
  /** Aborted when a stop's deadline is near: unary calls end then. */
  readonly cutting: AbortSignal
}

/**
 * Bounds every call: its handler's signal is aborted, and the caller answered, at the caller's deadline, at callTimeoutMs (unary)
 * and when the server stops, also when the handler does not look at its signal.
 */
export function boundCall({ callTimeoutMs, stopping, cutting }: BoundCallOptions): Interceptor {
  return (next) => async (request) => {
    if (request.stream) {
      const signal = AbortSignal.any([request.signal, stopping])
      const ending = (): unknown => (request.signal.aborted ? request.signal.reason : serverStopping())
      const response = await orAborted(next({ ...request, signal }), signal, ending)
      return response.stream ? { ...response, message: endingWith(response.message, signal, ending) } : response
    }
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(tooSlow(callTimeoutMs)), callTimeoutMs)
    const signal = AbortSignal.any([request.signal, limit.signal, cutting])
    const ending = (): unknown => (cutting.aborted ? serverStopping() : signal.reason)
    try {
      return await orAborted(next({ ...request, signal }), signal, ending)
    } finally {
      clearTimeout(timer)
    }
  }
}

function tooSlow(callTimeoutMs: number): unknown {
  const message = `the call took longer than the server's limit of ${callTimeoutMs} ms: ask for less at once`
  return ferryError(Code.DeadlineExceeded, 'DEADLINE_EXCEEDED', message)
}

function serverStopping(): unknown {
  return ferryError(Code.Unavailable, 'SERVER_STOPPING', 'the server is stopping: call again, another replica answers')
}

/** The promise's end, or a rejection when the signal comes first. What comes later is dropped: the caller has its answer. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal, reason: () => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(reason())
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

async function* endingWith(
  messages: StreamResponse['message'],
  signal: AbortSignal,
  reason: () => unknown,
): StreamResponse['message'] {
  const iterator = messages[Symbol.asyncIterator]()
  try {
    for (;;) {
      const result = await orAborted(iterator.next(), signal, reason)
      if (result.done) return
      yield result.value
    }
  } finally {
    // Not awaited: a handler that hangs in its own clean-up must not hold the call.
    iterator.return?.().then(undefined, () => {})
  }
}
