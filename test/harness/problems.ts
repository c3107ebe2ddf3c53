const examplesMax = 5

/** What does not hold, by kind: how often, with some examples. */
export class Problems {
  readonly #examples = new Map<string, string[]>()
  readonly #counts = new Map<string, number>()

  add(kind: string, example: string): void {
    const examples = this.#examples.get(kind) ?? []
    this.#examples.set(kind, examples)
    if (examples.length < examplesMax) examples.push(example)
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  /** A line for each kind; none when all is well. */
  lines(): string[] {
    return [...this.#examples].map(([kind, examples]) => `${this.#counts.get(kind)} x ${kind}: ${examples.join(', ')}`)
  }
}
