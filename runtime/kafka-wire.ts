/** Kafka writes a missing topic id as sixteen zero bytes. */
const NO_UUID = Buffer.alloc(16)

/**
 * Kafka's primitive types, as they are written. The newer ("flexible") versions of a request have lengths as varints of one more
 * than the length, and tagged fields at the end of each structure; the older ones have neither.
 */
export class WireWriter {
  readonly #isFlexible: boolean
  #buffer = Buffer.allocUnsafe(1024)
  #at = 0

  constructor(isFlexible: boolean) {
    this.#isFlexible = isFlexible
  }

  int8(value: number): this {
    this.#room(1)
    this.#at = this.#buffer.writeInt8(value, this.#at)
    return this
  }

  int32(value: number): this {
    this.#room(4)
    this.#at = this.#buffer.writeInt32BE(value, this.#at)
    return this
  }

  int64(value: number): this {
    this.#room(8)
    this.#at = this.#buffer.writeBigInt64BE(BigInt(value), this.#at)
    return this
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  /** As text; '' is no topic id. */
  uuid(id: string): this {
    this.#raw(id === '' ? NO_UUID : Buffer.from(id, 'base64url'))
    return this
  }

  string(text: string): this {
    const bytes = Buffer.from(text)
    if (this.#isFlexible) this.#varint(bytes.length + 1)
    else {
      this.#room(2)
      this.#at = this.#buffer.writeInt16BE(bytes.length, this.#at)
    }
    this.#raw(bytes)
    return this
  }

  /** The items follow. */
  array(length: number): this {
    if (this.#isFlexible) this.#varint(length + 1)
    else this.int32(length)
    return this
  }

  /** The end of a structure: no tagged fields. */
  tags(): this {
    return this.#isFlexible ? this.int8(0) : this
  }

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#at)
  }

  #varint(value: number): void {
    let rest = value
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.int8(((rest & 0x7f) | 0x80) - 256)
    this.int8(rest)
  }

  #raw(bytes: Buffer): void {
    this.#room(bytes.length)
    bytes.copy(this.#buffer, this.#at)
    this.#at += bytes.length
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes))
    this.#buffer.copy(larger, 0, 0, this.#at)
    this.#buffer = larger
  }
}

/** Kafka's primitive types, as they are read. Throws a RangeError where the bytes end too soon. */
export class WireReader {
  readonly #isFlexible: boolean
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer, isFlexible: boolean) {
    this.#buffer = buffer
    this.#isFlexible = isFlexible
  }

  int8(): number {
    this.#at += 1
    return this.#buffer.readInt8(this.#at - 1)
  }

  int16(): number {
    this.#at += 2
    return this.#buffer.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#buffer.readInt32BE(this.#at - 4)
  }

  int64(): number {
    this.#at += 8
    return Number(this.#buffer.readBigInt64BE(this.#at - 8))
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  /** '' where there is none. As Kafka's own tools print it. */
  uuid(): string {
    const bytes = this.#take(16)
    return bytes.equals(NO_UUID) ? '' : bytes.toString('base64url')
  }

  string(): string | null {
    const length = this.#isFlexible ? this.#varint() - 1 : this.int16()
    return length < 0 ? null : this.#take(length).toString()
  }

  /** A slice, not a copy; empty where there is none. */
  bytes(): Buffer {
    const length = this.#isFlexible ? this.#varint() - 1 : this.int32()
    return this.#take(Math.max(0, length))
  }

  array<T>(item: () => T): T[] {
    const length = this.#isFlexible ? this.#varint() - 1 : this.int32()
    const items: T[] = []
    for (let i = 0; i < length; i++) items.push(item())
    return items
  }

  /** The end of a structure: skips its tagged fields, but for what `read` reads of the one it is called for. */
  tags(read?: (tag: number) => void): void {
    if (!this.#isFlexible) return
    for (let count = this.#varint(); count > 0; count--) {
      const tag = this.#varint()
      const length = this.#varint()
      const start = this.#at
      read?.(tag)
      this.#at = start
      this.#take(length)
    }
  }

  #varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#buffer.readUInt8(this.#at++)
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#buffer.length) throw new RangeError(`an answer of Kafka ends ${end - this.#buffer.length} bytes too soon`)
    const bytes = this.#buffer.subarray(this.#at, end)
    this.#at = end
    return bytes
  }
}
