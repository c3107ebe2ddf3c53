import type { CelInput, CelList, CelMap } from '@bufbuild/cel'
import type { JsonValue } from './parse-json.ts'

// JSON values as CEL sees them, without a copy: @bufbuild/cel knows its own maps and lists by these symbols. Its map of a Map would
// need one made for every object of a record, and has no key whose value is null.
const mapSymbol = Symbol.for('@bufbuild/cel/map')
const listSymbol = Symbol.for('@bufbuild/cel/list')

const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n }

/** Numbers are double; whole numbers that a double does not hold are int, beyond that double again. */
export function toCel(value: JsonValue): CelInput {
  if (typeof value === 'bigint') return value < int64.min || value > int64.max ? Number(value) : value
  if (typeof value !== 'object' || value === null) return value
  return (Array.isArray(value) ? new JsonList(value) : new JsonMap(value)) as unknown as CelInput
}

/** A JSON object. Keys are texts; a key of another type is not there. */
class JsonMap {
  readonly [mapSymbol] = true
  readonly #object: { readonly [name: string]: JsonValue }

  constructor(object: { readonly [name: string]: JsonValue }) {
    this.#object = object
  }

  get size(): number {
    return Object.keys(this.#object).length
  }

  has(key: unknown): boolean {
    return typeof key === 'string' && Object.hasOwn(this.#object, key)
  }

  get(key: unknown): CelInput | undefined {
    return this.has(key) ? toCel(this.#object[key as string]!) : undefined
  }

  keys(): IterableIterator<string> {
    return Object.keys(this.#object).values()
  }

  *values(): IterableIterator<CelInput> {
    for (const key of this.keys()) yield toCel(this.#object[key]!)
  }

  *entries(): IterableIterator<[string, CelInput]> {
    for (const key of this.keys()) yield [key, toCel(this.#object[key]!)]
  }

  forEach(callback: (value: CelInput, key: string, map: CelMap) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this as unknown as CelMap)
  }

  [Symbol.iterator](): IterableIterator<[string, CelInput]> {
    return this.entries()
  }
}

/** A JSON array. */
class JsonList {
  readonly [listSymbol] = true
  readonly #array: readonly JsonValue[]

  constructor(array: readonly JsonValue[]) {
    this.#array = array
  }

  get size(): number {
    return this.#array.length
  }

  get(index: number): CelInput | undefined {
    const value = this.#array[index]
    return value === undefined ? undefined : toCel(value)
  }

  *values(): IterableIterator<CelInput> {
    for (const value of this.#array) yield toCel(value)
  }

  [Symbol.iterator](): IterableIterator<CelInput> {
    return this.values()
  }
}

/** The list of two, in time of the second: `map` and `filter` put their results together element by element. */
export function concatLists(left: CelList, right: CelList): CelList {
  const grown = left instanceof GrownList ? left : new GrownList([...left], left.size)
  return grown.append(right) as unknown as CelList
}

/** The first so many of an array that others may have made longer. */
class GrownList {
  readonly [listSymbol] = true
  readonly size: number
  readonly #array: unknown[]

  constructor(array: unknown[], size: number) {
    this.#array = array
    this.size = size
  }

  append(other: CelList): GrownList {
    const array = this.size === this.#array.length ? this.#array : this.#array.slice(0, this.size)
    for (const value of other) array.push(value)
    return new GrownList(array, array.length)
  }

  get(index: number): unknown {
    return index >= 0 && index < this.size ? this.#array[index] : undefined
  }

  *values(): IterableIterator<unknown> {
    for (let at = 0; at < this.size; at++) yield this.#array[at]
  }

  [Symbol.iterator](): IterableIterator<unknown> {
    return this.values()
  }
}
