/** Milliseconds before try number `failures` + 1: doubles from baseMs to maxMs, with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"). */
export function backoffMs(failures: number, baseMs: number, maxMs: number, random: number): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30)) * random
}
