/** Numbers of 32 bits, as many as come. */
export class IntList {
  length = 0
  #values = new Int32Array(1 << 14)

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Int32Array(this.#values.length * 2)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.length++] = value
  }

  at(index: number): number {
    return this.#values[index]!
  }
}
