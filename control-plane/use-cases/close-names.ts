/** Longer names and larger sets are compared by their last part only. */
const lengthMax = 200
const knownMax = 5000
const distanceMax = 8

/** Names among `known` that someone who wrote `name` may have meant, closest first. */
export function closeNames(name: string, known: readonly string[], max = 3): string[] {
  const last = lastPart(name).toLowerCase()
  const limit = name.length > lengthMax || known.length > knownMax ? 1 : Math.min(Math.max(2, name.length >> 2), distanceMax)
  const ranked: { readonly name: string; readonly distance: number }[] = []
  for (const each of known) {
    // The right message in a wrong package is as close as a typing error.
    const distance = lastPart(each).toLowerCase() === last ? 1 : limit === 1 ? 2 : editDistance(name, each, limit)
    if (distance <= limit) ranked.push({ name: each, distance })
  }
  ranked.sort((left, right) => left.distance - right.distance || (left.name < right.name ? -1 : 1))
  return ranked.slice(0, max).map((each) => each.name)
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf('.') + 1)

/**
 * Levenshtein's distance, as limit + 1 when it is above the limit. Wagner and Fischer's rows, of which only the band that can
 * stay within the limit is computed (Ukkonen).
 */
export function editDistance(left: string, right: string, limit: number): number {
  const over = limit + 1
  if (Math.abs(left.length - right.length) > limit) return over
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const next = new Array<number>(right.length + 1).fill(over)
    next[0] = i
    let least = i
    for (let j = Math.max(1, i - limit); j <= Math.min(right.length, i + limit); j++) {
      const replaced = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1)
      next[j] = Math.min(replaced, row[j]! + 1, next[j - 1]! + 1)
      least = Math.min(least, next[j]!)
    }
    if (least > limit) return over
    row = next
  }
  return Math.min(row[right.length]!, over)
}
