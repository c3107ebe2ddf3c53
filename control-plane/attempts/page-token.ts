import { createHash } from 'node:crypto'

/** Where a page of attempts ends: what the list is sorted by, in this order, each descending. */
export interface AttemptPosition {
  readonly sentMs: number
  readonly partition: number
  readonly offset: number
  readonly round: number
  readonly epoch: number
  readonly attempt: number
}

/** `list` says which list a token belongs to: everything that must not change from page to page. */
export function writePageToken(position: AttemptPosition, list: string): string {
  const { sentMs, partition, offset, round, epoch, attempt } = position
  const numbers = [sentMs, partition, offset, round, epoch, attempt].join('.')
  return Buffer.from(`${numbers}.${sealOf(numbers, list)}`).toString('base64url')
}

/** Undefined when the token was not written by writePageToken for this list. */
export function readPageToken(token: string, list: string): AttemptPosition | undefined {
  const text = Buffer.from(token, 'base64url').toString('latin1')
  const match = /^((?:\d{1,16}\.){5}\d{1,16})\.([0-9a-f]{16})$/.exec(text)
  if (!match || match[2] !== sealOf(match[1]!, list)) return undefined
  const [sentMs, partition, offset, round, epoch, attempt] = match[1]!.split('.').map(Number)
  return { sentMs: sentMs!, partition: partition!, offset: offset!, round: round!, epoch: epoch!, attempt: attempt! }
}

/** Not secret: it finds tokens of another list and damaged ones; a forged one can only name another place in the same list. */
const sealOf = (numbers: string, list: string): string =>
  createHash('sha256').update(`${numbers}\n${list}`).digest('hex').slice(0, 16)
