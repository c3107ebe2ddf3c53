import type { RowOwner } from './attempt.ts'
import type { FastBuffer } from './row-binary.ts'

/** Rows that leave together, once frozen always as the same bytes. Its memory is used again. */
export class Batch<E> {
  readonly out: FastBuffer
  /** Where each row ends. Kept and overwritten, as the next three: length = 0 would give their memory back each time. */
  readonly ends: number[] = []
  readonly owners: RowOwner<E>[] = []
  readonly slots: number[] = []
  readonly entries: (E | undefined)[] = []
  rows = 0
  at = 0

  constructor(bytes: number) {
    this.out = Buffer.allocUnsafeSlow(bytes) as FastBuffer
  }

  /** The next row has been written up to `at`. */
  push(at: number, owner: RowOwner<E>, slot: number, entry: E | undefined): void {
    const index = this.rows++
    this.at = at
    this.ends[index] = at
    this.owners[index] = owner
    this.slots[index] = slot
    this.entries[index] = entry
  }

  /** Tells every row's owner, and is empty. */
  acknowledge(): void {
    const { owners, slots, entries, rows } = this
    for (let i = 0; i < rows; i++) {
      owners[i]!.acknowledged(slots[i]!, entries[i])
      entries[i] = undefined
    }
    this.rows = 0
    this.at = 0
  }
}
