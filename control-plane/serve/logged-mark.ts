import { type ContextValues, createContextKey } from '@connectrpc/connect'

const key = createContextKey<{ logged: boolean } | undefined>(undefined, {
  description: 'whether the call reached the log interceptor',
})

/** Set by the HTTP listener, so that it can log what Connect refuses before any interceptor runs (a body that is no JSON). */
export function trackLogged(values: ContextValues): () => boolean {
  const mark = { logged: false }
  values.set(key, mark)
  return () => mark.logged
}

export function markLogged(values: ContextValues): void {
  const mark = values.get(key)
  if (mark) mark.logged = true
}
