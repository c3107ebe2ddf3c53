/** Offsets of one partition from `from` to below `to`. */
export interface Slice {
  readonly partition: number
  readonly from: number
  readonly to: number
}

/**
 * Packs ranges into groups of at most `offsetsMax` offsets, cutting those that are larger: each group is one bounded question to
 * the log. Order is kept; empty ranges are left out. A group has at most `slicesMax` slices.
 */
export function packSlices(ranges: readonly Slice[], offsetsMax: number, slicesMax: number): Slice[][] {
  const groups: Slice[][] = []
  let group: Slice[] = []
  let room = offsetsMax
  for (const { partition, from, to } of ranges) {
    for (let at = from; at < to; ) {
      if (room === 0 || group.length === slicesMax) {
        groups.push(group)
        group = []
        room = offsetsMax
      }
      const end = Math.min(to, at + room)
      group.push({ partition, from: at, to: end })
      room -= end - at
      at = end
    }
  }
  if (group.length > 0) groups.push(group)
  return groups
}
