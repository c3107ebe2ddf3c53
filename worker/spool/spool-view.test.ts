import { describe, expect, test } from 'vitest'
import type { SpoolPartition } from '../../runtime/spool-position.ts'
import { createSpoolView } from './spool-view.ts'

const soon = (): number => performance.now() + 5000

/** Kafka's answers, one after the other; the last one stays. */
function answers(...all: (SpoolPartition[] | Error)[]) {
  const made = { asked: 0 }
  const view = createSpoolView(async () => {
    const answer = all[Math.min(made.asked++, all.length - 1)]!
    if (answer instanceof Error) throw answer
    return answer
  })
  return { view, made }
}

const at = (from: number, end: number, partition = 0): SpoolPartition => ({ partition, from, end })

describe('the spool', () => {
  test('is drained when no partition has anything that waits', async () => {
    expect(await answers([at(3, 3), at(0, 0, 1)]).view.isDrained()).toBe(true)
    expect(await answers([at(3, 3), at(0, 1, 1)]).view.isDrained()).toBe(false)
    await expect(answers(new Error('away')).view.isDrained()).rejects.toThrow('away')
  })

  test('is waited for as far as it was when that began, whatever comes later', async () => {
    const { view, made } = answers([at(3, 5)], new Error('a moment'), [at(4, 7)], [at(5, 9)])
    expect(await view.waitDrained(soon())).toBe(true)
    expect(made.asked).toBe(4)
  })

  test('is not waited for any longer than may be', async () => {
    const start = performance.now()
    expect(await answers([at(3, 5)]).view.waitDrained(start + 300)).toBe(false)
    expect(await answers(new Error('away')).view.waitDrained(start)).toBe(false)
    expect(performance.now() - start).toBeLessThan(2000)
  })

  test('is asked for once by all who come while it is being asked', async () => {
    const open: (() => void)[] = []
    let asked = 0
    const view = createSpoolView(async () => {
      asked++
      await new Promise<void>((resolve) => open.push(resolve))
      return [at(1, 1)]
    })
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    const first = view.isDrained()
    await turn()
    const later = [view.isDrained(), view.isDrained(), view.waitDrained(soon())]
    await turn()
    expect(asked).toBe(1)
    open[0]!()
    await first
    await turn()
    expect(asked).toBe(2)
    open[1]!()
    expect(await Promise.all(later)).toEqual([true, true, true])
    expect(asked).toBe(2)
  })
})
