/** Maps with at most so many calls at once; answers in the order of the items. */
export async function mapAtMost<Item, Result>(
  count: number,
  items: readonly Item[],
  map: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const run = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++
      results[index] = await map(items[index]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, run))
  return results
}
