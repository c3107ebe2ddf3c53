import { Code, type Interceptor } from '@connectrpc/connect'
import { ferryError } from './errors.ts'

/**
 * Refuses calls while as many of their service are on the way, so that their memory is bounded. Each service has its own count: whoever
 * floods one, queries for example, keeps no heartbeat and no registration out.
 */
export function limitCalls(callsPerServiceMax: number): Interceptor {
  const counts = new Map<string, number>()
  return (next) => async (request) => {
    const { typeName } = request.service
    const count = counts.get(typeName) ?? 0
    if (count >= callsPerServiceMax) {
      const message = `${count} calls of ${typeName} are on the way, as many as may be: call again in a second`
      throw ferryError(Code.ResourceExhausted, 'LIMIT_EXCEEDED', message)
    }
    counts.set(typeName, count + 1)
    const end = (): void => void counts.set(typeName, counts.get(typeName)! - 1)
    try {
      const response = await next(request)
      if (!response.stream) end()
      return response.stream ? { ...response, message: endingWith(response.message, end) } : response
    } catch (error) {
      end()
      throw error
    }
  }
}

async function* endingWith<T>(messages: AsyncIterable<T>, end: () => void): AsyncGenerator<T> {
  try {
    yield* messages
  } finally {
    end()
  }
}
