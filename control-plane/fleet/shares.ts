/**
 * Divides a limit over holders in proportion to what each holds, by largest remainders after Hamilton. Each gets at least 1,
 * so the sum is max(limit, holders). `held` is how many lanes each holds, each at least 1.
 */
export function divideInFlight(limit: number, held: ReadonlyMap<string, number>): Map<string, number> {
  const holders = [...held].sort(([a], [b]) => (a < b ? -1 : 1))
  const shares = new Map<string, number>(holders.map(([holder]) => [holder, 1]))
  const rest = limit - holders.length
  if (rest <= 0) return shares
  const total = holders.reduce((sum, [, lanes]) => sum + lanes, 0)
  // What each would have by proportion, above the 1 that it has already.
  const wanted = holders.map(([holder, lanes]) => ({ holder, want: Math.max(0, (limit * lanes) / total - 1) }))
  const wantedSum = wanted.reduce((sum, each) => sum + each.want, 0)
  let left = rest
  const remainders: { holder: string; remainder: number }[] = []
  for (const { holder, want } of wanted) {
    const exact = (rest * want) / wantedSum
    const whole = Math.floor(exact)
    shares.set(holder, 1 + whole)
    left -= whole
    remainders.push({ holder, remainder: exact - whole })
  }
  remainders.sort((a, b) => b.remainder - a.remainder || (a.holder < b.holder ? -1 : 1))
  for (const { holder } of remainders.slice(0, left)) shares.set(holder, shares.get(holder)! + 1)
  return shares
}

const creditOfUseCase = 100
const creditOfLaneMin = 10

export interface LaneShares {
  readonly parkedMax: number
  readonly parkedBytesMax: number
  readonly creditMax: number
}

/**
 * One lane's part of what its use case may keep waiting, and of the credit that giving up costs. Every lane may park at least one
 * delivery; bytes may come to 0, then only offsets are kept. `index` is the lane's place among the use case's `lanes`.
 */
export function laneShares(parkedMax: number, parkedBytesMax: number, lanes: number, index: number): LaneShares {
  return {
    parkedMax: Math.max(1, partOf(parkedMax, lanes, index)),
    parkedBytesMax: partOf(parkedBytesMax, lanes, index),
    creditMax: Math.max(creditOfLaneMin, Math.floor(creditOfUseCase / lanes)),
  }
}

const partOf = (whole: number, parts: number, index: number): number =>
  Math.floor(whole / parts) + (index < whole % parts ? 1 : 0)
