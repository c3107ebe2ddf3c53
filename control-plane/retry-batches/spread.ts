/**
 * Divides `max` over lanes as if one delivery of each were taken in turn, lowest partition first, until nobody has more. `counts`
 * and the answer are by partition.
 */
export function spread(counts: ReadonlyMap<number, number>, max: number): Map<number, number> {
  const shares = new Map<number, number>()
  let rest = max
  let lanes = [...counts].filter(([, count]) => count > 0).sort(([a], [b]) => a - b)
  while (rest > 0 && lanes.length > 0) {
    // As many whole turns as the smallest lane bears at once; in the end single ones.
    const smallest = Math.min(...lanes.map(([partition, count]) => count - (shares.get(partition) ?? 0)))
    const turns = Math.min(smallest, Math.floor(rest / lanes.length))
    for (const [partition] of turns > 0 ? lanes : lanes.slice(0, rest)) {
      const more = Math.max(turns, 1)
      shares.set(partition, (shares.get(partition) ?? 0) + more)
      rest -= more
    }
    lanes = lanes.filter(([partition, count]) => count > (shares.get(partition) ?? 0))
  }
  return shares
}
