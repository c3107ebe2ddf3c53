import { usageError } from './cli-error.ts'

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const part = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g

/** `90s`, `1h30m`, `2d`; `what` names the flag in the error. */
export function parseDurationMs(text: string, what: string): number {
  const ms = durationMs(text)
  if (ms === undefined || ms <= 0) throw usageError(`${what} ${text}: is no duration`, 'write it as 500ms, 90s, 15m, 1h30m or 2d')
  return ms
}

/** Undefined when it is no duration. */
export function durationMs(text: string): number | undefined {
  let sum = 0
  const rest = text.replace(part, (_, count: string, unit: keyof typeof unitMs) => {
    sum += Number(count) * unitMs[unit]
    return ''
  })
  return text !== '' && rest === '' ? Math.round(sum) : undefined
}
