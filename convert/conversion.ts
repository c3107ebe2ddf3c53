import type { Filter } from './filter/compile-filter.ts'
import type { Decode, RecordSource, SourceRecord } from './source-record.ts'
import type { Transform } from './transform/compile-transform.ts'

const NOTHING = Buffer.alloc(0)
/** The body of a tombstone that is delivered. */
const NULL_BODY = Buffer.from('null')

/** The body of a record that is neither filtered nor transformed. */
export const bodyOf = ({ value }: SourceRecord, decode: Decode): Buffer => (value === null ? NULL_BODY : decode(value))

/** What becomes of a record: the body to send, or nothing, because the filter leaves it out. */
export type Converted = Buffer | 'FILTERED'

/** How the records of a use case that filters or transforms become bodies. It remembers the last record: it is asked about twice. */
export class Conversion {
  readonly #decode: Decode
  readonly #filter: Filter | undefined
  readonly #transform: Transform | undefined
  #last: SourceRecord | undefined
  #result: Converted | Error = NOTHING

  constructor(decode: Decode, filter: Filter | undefined, transform: Transform | undefined) {
    this.#decode = decode
    this.#filter = filter
    this.#transform = transform
  }

  get filters(): boolean {
    return this.#filter !== undefined
  }

  /** Whether the filter leaves the record out. A record that cannot be decoded or decided about is not left out. */
  leavesOut(record: SourceRecord, source: RecordSource): boolean {
    if (this.#filter === undefined || this.#resultOf(record, source) !== 'FILTERED') return false
    // Nobody asks again, and a record keeps all that its fetch brought in memory.
    this.#forget()
    return true
  }

  /** Throws DecodeError, FilterError or TransformError; a body that comes later is that of a transform. */
  convert(record: SourceRecord, source: RecordSource): Converted | Promise<Buffer> {
    const result = this.#resultOf(record, source)
    this.#forget()
    if (result instanceof Error) throw result
    // A tombstone has nothing to be changed.
    if (result === 'FILTERED' || this.#transform === undefined || record.value === null) return result
    return this.#transform(result)
  }

  #forget(): void {
    this.#last = undefined
    this.#result = NOTHING
  }

  /** Of the filter; a body is the decoded one. */
  #resultOf(record: SourceRecord, source: RecordSource): Converted | Error {
    if (this.#last === record) return this.#result
    this.#result = this.#try(record, source)
    this.#last = record
    return this.#result
  }

  #try(record: SourceRecord, source: RecordSource): Converted | Error {
    let body: Buffer | undefined
    const decode = (value: Buffer): Buffer => {
      body ??= this.#decode(value)
      return body
    }
    try {
      if (this.#filter?.(record, source, decode) === false) return 'FILTERED'
      return bodyOf(record, decode)
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }
}
