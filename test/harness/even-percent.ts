import type { Received } from './received.ts'

/** 0 to 99, evenly spread over requests, without a pattern in their offsets, and the same at every run. */
export function evenPercent({ partition, offset, attempt }: Pick<Received, 'partition' | 'offset' | 'attempt'>): number {
  let mixed = Math.imul(offset + 1, 0x9e3779b1) ^ Math.imul(partition + 1, 0x85ebca6b) ^ Math.imul(attempt, 0xc2b2ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39)
  return Math.floor((((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32) * 100)
}
