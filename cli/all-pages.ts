/** The most that the server gives at once. */
const pageSizeMax = 1000

/** Items of as many pages as it takes to have `max`; fewer when there are no more. */
export async function allPages<Item>(
  max: number,
  page: (pageSize: number, pageToken: string) => Promise<{ readonly items: readonly Item[]; readonly next: string }>,
): Promise<{ readonly items: Item[]; readonly hasMore: boolean }> {
  const items: Item[] = []
  let token = ''
  do {
    const answer = await page(Math.min(pageSizeMax, max - items.length), token)
    items.push(...answer.items)
    token = answer.next
  } while (token !== '' && items.length < max)
  return { items, hasMore: token !== '' }
}
