import type { Token } from './fetch-token.ts'

/** This part of a token's life is used: the rest is for the way, and for clocks that differ. */
const USED_SHARE = 0.8

/** Kafka's token, fetched when there is none or it is near its end; all who wait share one question. */
export function shareToken(fetch: () => Promise<Token>, nowMs: () => number = Date.now): () => Promise<string> {
  let token: { readonly value: string; readonly untilMs: number } | undefined
  let asking: Promise<string> | undefined
  const ask = async (): Promise<string> => {
    const askedMs = nowMs()
    const { value, lifetimeMs } = await fetch().catch((error: Error) => {
      throw new Error(`the OAuth server at ${error.message}`)
    })
    token = { value, untilMs: askedMs + lifetimeMs * USED_SHARE }
    return value
  }
  return async () => {
    if (token !== undefined && nowMs() < token.untilMs) return token.value
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }
}
