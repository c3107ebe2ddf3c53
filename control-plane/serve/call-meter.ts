import { ConnectError, type Interceptor } from '@connectrpc/connect'
import { Buckets, callSeconds } from '../../runtime/metrics/buckets.ts'
import { codeName } from './log-request.ts'

export interface MethodCalls {
  readonly service: string
  readonly method: string
  /** By the code of the answer, as gRPC writes it. */
  readonly codes: Map<string, number>
  /** A stream lasts until its end. */
  readonly seconds: Buckets
  inFlight: number
}

/** Counts the calls of each method. */
export class CallMeter {
  readonly #methods = new Map<string, MethodCalls>()

  get methods(): Iterable<MethodCalls> {
    return this.#methods.values()
  }

  /** Must come first: it sees each answer as its caller does. */
  readonly interceptor: Interceptor = (next) => async (request) => {
    const calls = this.#of(request.service.name, request.method.name)
    const startedMs = performance.now()
    calls.inFlight++
    const end = (code: string): void => {
      calls.inFlight--
      calls.codes.set(code, (calls.codes.get(code) ?? 0) + 1)
      calls.seconds.observe((performance.now() - startedMs) / 1000)
    }
    try {
      const response = await next(request)
      if (response.stream) return { ...response, message: endingWith(response.message, end) }
      end('OK')
      return response
    } catch (error) {
      end(codeOf(error))
      throw error
    }
  }

  #of(service: string, method: string): MethodCalls {
    const key = `${service}/${method}`
    const known = this.#methods.get(key)
    if (known !== undefined) return known
    const calls = { service, method, codes: new Map<string, number>(), seconds: new Buckets(callSeconds), inFlight: 0 }
    this.#methods.set(key, calls)
    return calls
  }
}

const codeOf = (error: unknown): string => codeName(ConnectError.from(error).code)

async function* endingWith<T>(messages: AsyncIterable<T>, end: (code: string) => void): AsyncGenerator<T> {
  // Left in the middle: its caller went away.
  let code = 'CANCELED'
  try {
    yield* messages
    code = 'OK'
  } catch (error) {
    code = codeOf(error)
    throw error
  } finally {
    end(code)
  }
}
