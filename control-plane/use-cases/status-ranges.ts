/** Statuses from `first` to `last`, both included; `excluded` for `!501`. */
export interface StatusRange {
  readonly text: string
  readonly first: number
  readonly last: number
  readonly excluded: boolean
}

export const defaultSuccessStatus: readonly string[] = ['200-299']
export const defaultRetryableStatus: readonly string[] = ['408', '425', '429', '500-599', '!501']

/** Reads `200`, `200-299`, `!501`; leaves out what is none of them, which the contract's rules report. */
export function readStatusRanges(texts: readonly string[]): StatusRange[] {
  return texts.flatMap((text) => {
    const match = /^(!?)([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text)
    if (!match) return []
    return [{ text, first: Number(match[2]), last: Number(match[3] ?? match[2]), excluded: match[1] === '!' }]
  })
}

/** The statuses that a list names: `!` excludes wherever it stands. */
export function statusesOf(texts: readonly string[]): Set<number> {
  const statuses = new Set<number>()
  const ranges = readStatusRanges(texts).sort((left, right) => Number(left.excluded) - Number(right.excluded))
  for (const range of ranges) {
    for (let status = range.first; status <= range.last; status++) {
      if (range.excluded) statuses.delete(status)
      else statuses.add(status)
    }
  }
  return statuses
}

/** The shortest list that names the same statuses, in order. */
export function canonicalStatuses(texts: readonly string[]): string[] {
  return statusRuns(statusesOf(texts))
}

/** A set of statuses as `200-299`, `408`, in order. */
export function statusRuns(statuses: ReadonlySet<number>): string[] {
  const sorted = [...statuses].sort((left, right) => left - right)
  const runs: [first: number, last: number][] = []
  for (const status of sorted) {
    const run = runs.at(-1)
    if (run && run[1] === status - 1) run[1] = status
    else runs.push([status, status])
  }
  return runs.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`))
}

export const effectiveSuccess = (asked: readonly string[]): string[] =>
  canonicalStatuses(asked.length === 0 ? defaultSuccessStatus : asked)

/** A list of nothing but exclusions takes them from the default. */
export const effectiveRetryable = (asked: readonly string[]): string[] =>
  canonicalStatuses(asked.every((each) => each.startsWith('!')) ? [...defaultRetryableStatus, ...asked] : asked)
