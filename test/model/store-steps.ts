import type { Go, Turn } from './context.ts'
import type { State } from './state.ts'

/** What Redis and Kafka may lose. */
export function storeSteps(s: State, go: Go): void {
  for (const [j, old] of s.H.entries())
    go(
      `Redis: is again what it was ${j + 1} write(s) ago`,
      (turn) => {
        turn.s.R = old
        forget(turn, old === 0 ? 0 : Number(old.lane['epoch']))
      },
      'rollback',
    )
  if (s.R !== 0)
    go(
      'Redis: loses everything',
      (turn) => {
        turn.s.R = 0
        turn.s.gr = 0
        // A lease that is not over is made anew by its next touch.
        for (const w of turn.s.W) if (w.ls !== 'H') w.ls = 'M'
        forget(turn, 0)
      },
      'flush',
    )
  if (s.G !== '')
    go(
      'Kafka: forgets the group',
      (turn) => {
        turn.s.G = ''
      },
      'groupLost',
    )
}

/** Every worker sees that Redis was away. */
function forget({ s, context }: Turn, claimed: number): void {
  s.mx = claimed
  for (const w of s.W) if (w.up && w.k !== 0 && w.k.node >= 0) w.pv = context.on.proves
}
