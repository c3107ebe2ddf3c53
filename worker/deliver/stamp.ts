/** The request that a stamp is put on. */
export interface Stamped {
  /** The lane's partition and the record's offset: with the use case they name the delivery. */
  readonly partition: number
  readonly offset: string
  readonly body: Buffer
  /** Unix ms. */
  readonly nowMs: number
}

/** Headers that are made anew for every request, when its body is there: a token that is renewed, a signature. */
export interface Stamp {
  /** Of its headers, in lower case. */
  readonly names: readonly string[]
  /** By header: whether the log may show the value. */
  readonly isShown: readonly boolean[]
  /** Writes the values to `headers`, the first at `at`, the next two further, and so on. */
  write(headers: string[], at: number, request: Stamped): void
}
