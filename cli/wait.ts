import { setTimeout } from 'node:timers/promises'

/** Waits so long, or until Ctrl-C; answers whether it was Ctrl-C. */
export async function interruptedWithin(ms: number, interrupted: AbortSignal): Promise<boolean> {
  try {
    await setTimeout(ms, undefined, { signal: interrupted })
  } catch {
    // Aborted.
  }
  return interrupted.aborted
}
