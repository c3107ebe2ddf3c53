/**
 * How far a batch has gone in one lane, kept in that lane's own hash: `{lap}:{highest offset handed over}:{number handed over}`,
 * or `closed` when nothing may be handed over any more. It moves in the same script that hands over.
 */
export interface Mark {
  readonly lap: number
  /** -1 before the first. */
  readonly offset: number
  /** In all laps. */
  readonly handed: number
}

export const markField = (batch: string): string => `mark:${batch}`

/** In the lane's inbox: its owner withdraws what it has of the batch and has not sent. */
export const cancelField = (batch: string): string => `cancel:${batch}`

export const closedMark = 'closed'

/** The mark within a lap: an earlier lap's says nothing about this one but how many were handed over. Undefined when it is closed. */
export function readMark(text: string | null, lap: number): Mark | undefined {
  if (text === closedMark) return undefined
  if (text === null) return { lap, offset: -1, handed: 0 }
  const [of, offset, handed] = text.split(':').map(Number)
  return of === lap ? { lap, offset: offset!, handed: handed! } : { lap, offset: -1, handed: handed! }
}
