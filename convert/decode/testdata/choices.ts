import fc from 'fast-check'

/** Decisions that a generator takes one after the other; all 0 once they are used up, so that it comes to an end. */
export class Choices {
  readonly #numbers: readonly number[]
  #used = 0

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers
  }

  /** What fast-check shows of a counterexample. */
  [fc.toStringMethod](): string {
    return `Choices(${this.#numbers.join()})`
  }

  /** A number from 0 to count - 1. */
  below(count: number): number {
    return (this.#numbers[this.#used++] ?? 0) % count
  }

  /** True once in so many times. */
  rarely(oneIn: number): boolean {
    return this.below(oneIn) === oneIn - 1
  }

  pick<T>(...values: readonly T[]): T {
    return values[this.below(values.length)]!
  }
}

export const choices = fc.array(fc.nat(), { maxLength: 400, size: 'max' }).map((numbers) => new Choices(numbers))
