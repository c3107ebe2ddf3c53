import type { DescEnum } from '@bufbuild/protobuf'

/** A value as people write it: OUTCOME_FAILED is FAILED. Empty when it is not set; a value of a newer server is its number. */
export function enumWord(desc: DescEnum, value: number): string {
  if (value === 0) return ''
  return shortNames(desc).get(value) ?? String(value)
}

/** Every value but the first, as `failed` and `FAILED` and `OUTCOME_FAILED`, to its number. */
export function enumValue(desc: DescEnum, word: string): number | undefined {
  const wanted = word.toUpperCase().replaceAll('-', '_')
  for (const [number, name] of shortNames(desc)) if (name === wanted || desc.value[number]?.name === wanted) return number
  return undefined
}

export const enumWords = (desc: DescEnum): string[] => [...shortNames(desc).values()]

function shortNames(desc: DescEnum): Map<number, string> {
  const prefix = desc.sharedPrefix?.length ?? 0
  return new Map(desc.values.filter(({ number }) => number !== 0).map(({ number, name }) => [number, name.slice(prefix)]))
}
