import { type Progress, progressBar, RateWindow } from '../output/progress-bar.ts'
import type { Session } from '../session.ts'
import { interruptedWithin } from '../wait.ts'

export interface Followed<Item> {
  /** Asks how far it is. */
  readonly read: () => Promise<Item>
  readonly hasEnded: (item: Item) => boolean
  readonly progressOf: (item: Item) => Omit<Progress, 'perSecond'>
  /** What goes on when nobody follows any longer, and how to follow it again. */
  readonly goesOn: string
}

const pollMs = 1000
const rateWindowMs = 15_000

/** Shows the progress of what the server does, until it has ended: the item then. Undefined after Ctrl-C, which ends only the watching. */
export async function follow<Item>(
  { terminal, nowMs }: Session,
  { read, hasEnded, progressOf, goesOn }: Followed<Item>,
): Promise<Item | undefined> {
  const rate = new RateWindow(rateWindowMs)
  for (;;) {
    const item = await read()
    if (hasEnded(item)) return item
    const progress = progressOf(item)
    rate.add(nowMs(), progress.done)
    terminal.progress(progressBar({ ...progress, perSecond: rate.perSecond() }, terminal.width))
    if (await interruptedWithin(pollMs, terminal.interrupted)) break
  }
  terminal.err(`${goesOn}\n`)
  return undefined
}
