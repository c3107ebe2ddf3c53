import type { IntList } from './int-list.ts'

/** States 0 to count - 1 from which no good one can be reached over the edges from -> to, in rising order. */
export function findStuck(count: number, from: IntList, to: IntList, good: readonly number[]): number[] {
  // Edges by where they lead, so that they can be gone back.
  const start = new Int32Array(count + 1)
  for (let i = 0; i < to.length; i++) start[to.at(i) + 1]!++
  for (let i = 0; i < count; i++) start[i + 1]! += start[i]!
  const fill = start.slice()
  const back = new Int32Array(from.length)
  for (let i = 0; i < to.length; i++) back[fill[to.at(i)]!++] = from.at(i)
  const isFine = new Uint8Array(count)
  for (const state of good) isFine[state] = 1
  for (const todo = [...good]; todo.length > 0; ) {
    const state = todo.pop()!
    for (let i = start[state]!; i < start[state + 1]!; i++) {
      const before = back[i]!
      if (isFine[before] === 1) continue
      isFine[before] = 1
      todo.push(before)
    }
  }
  const stuck: number[] = []
  for (let state = 0; state < count; state++) if (isFine[state] === 0) stuck.push(state)
  return stuck
}
