import type { DescMethod, Message } from '@bufbuild/protobuf'
import { Code, type Interceptor } from '@connectrpc/connect'
import { AccessError } from '../access/access-error.ts'
import type { AccessRule } from '../access/access-rule.ts'
import { anonymous } from '../access/caller.ts'
import { findRefusal } from '../access/find-refusal.ts'
import type { Gate } from '../access/gate.ts'
import { toAccessAnswer } from './access-answer.ts'
import { ferryError } from './errors.ts'
import { certificateNamesOf, tellCaller } from './who-calls.ts'

/** Lets a call through when it is proven who calls, and the method's rule says that they may. Streams are checked message by message. */
export function authorize(gate: Pick<Gate, 'admit'>, rules: ReadonlyMap<DescMethod, AccessRule>): Interceptor {
  return (next) => async (request) => {
    const { contextValues, header } = request
    const call = `${request.service.typeName}/${request.method.name}`
    const certificateNames = certificateNamesOf(contextValues)
    const caller = await gate.admit({ header, method: call, certificateNames }).catch((error: unknown) => {
      throw error instanceof AccessError ? toAccessAnswer(error) : error
    })
    tellCaller(contextValues, caller)
    if (caller.identity === anonymous) return next(request)
    const rule = rules.get(request.method)
    // Not reached while the server does not start without a rule for each: whoever wires it otherwise lets nobody in.
    if (rule === undefined) throw ferryError(Code.PermissionDenied, 'PERMISSION_DENIED', `nobody may call ${call}`)
    const check = (message: Message): void => {
      const refusal = findRefusal(rule, caller.identity, call, message)
      if (refusal !== undefined) throw ferryError(Code.PermissionDenied, 'PERMISSION_DENIED', refusal)
    }
    if (!request.stream) check(request.message)
    return next(request.stream ? { ...request, message: checked(request.message, check) } : request)
  }
}

async function* checked<T extends Message>(messages: AsyncIterable<T>, check: (message: T) => void): AsyncGenerator<T> {
  for await (const message of messages) {
    check(message)
    yield message
  }
}
