import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ConnectRouter, type ConnectRouterOptions, type ContextValues, createConnectRouter } from '@connectrpc/connect'
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node'
import { answerJson } from './http-answers.ts'

export type ConnectHandlerOptions = ConnectRouterOptions & { readonly routes: (router: ConnectRouter) => void }

/** `hasReached` says whether an interceptor has seen the call. */
export type ConnectHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  values: ContextValues,
  hasReached: () => boolean,
) => void

/**
 * connectNodeAdapter with one answer put right: Connect calls a binary body that is no message an internal error, status 500, and
 * that is what servers are woken up for. An internal error before any interceptor is the request's fault.
 */
export function connectHandler({ routes, ...options }: ConnectHandlerOptions): ConnectHandler {
  const router = createConnectRouter({ acceptCompression: [compressionGzip, compressionBrotli], ...options })
  routes(router)
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]))
  return (request, response, path, values, hasReached) => {
    const handler = handlers.get(path)!
    handler(universalRequestFromNodeRequest(request, response, undefined, values))
      .then((answer) => {
        if (answer.status !== 500 || hasReached()) return universalResponseToNodeResponse(answer, response)
        const message = `the body is no ${handler.method.input.typeName} in the form that content-type says`
        return answerJson(response, 400, { code: 'invalid_argument', message })
      })
      // The client has gone: nobody is there to be told.
      .catch(() => response.destroy())
  }
}
