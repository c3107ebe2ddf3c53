import { type ContextValues, createContextKey, type HandlerContext } from '@connectrpc/connect'
import { anonymous, type Caller, callerAs } from '../access/caller.ts'
import { actorHeader } from '../access/gate.ts'

const certificateKey = createContextKey<() => readonly string[]>(() => [], {
  description: 'names of the client certificate of the connection',
})
const callerKey = createContextKey<Caller | undefined>(undefined, { description: 'who calls' })

/** Set by the listeners. The names are read when somebody asks. */
export function tellCertificate(values: ContextValues, names: () => readonly string[]): void {
  values.set(certificateKey, names)
}

export const certificateNamesOf = (values: ContextValues): (() => readonly string[]) => values.get(certificateKey)

export function tellCaller(values: ContextValues, caller: Caller): void {
  values.set(callerKey, caller)
}

/** Anonymous, as the caller says, where there is no gate. */
export const callerOf = ({ values, requestHeader }: Pick<HandlerContext, 'values' | 'requestHeader'>): Caller =>
  values.get(callerKey) ?? callerAs(anonymous, requestHeader.get(actorHeader))
