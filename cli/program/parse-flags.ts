import { InvalidArgumentError } from 'commander'

/** `--status 500,503 --status 429`: one after the other, or separated by commas. */
export const several = (text: string, before: readonly string[] | undefined): string[] => [
  ...(before ?? []),
  ...text.split(',').filter((each) => each !== ''),
]

/** Given again and again; commas stay. */
export const again = (text: string, before: readonly string[] | undefined): string[] => [...(before ?? []), text]

export function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 up.')
  return Number(text)
}

export function rate(text: string): number {
  const value = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0) throw new InvalidArgumentError('It must be a number above 0, as 50 or 0.5.')
  return value
}
