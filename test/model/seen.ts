/** Sets of states by 64-bit fingerprints of their texts: open addressing over two 32-bit hashes. */
export class Seen {
  count = 0
  #size = 1 << 16
  #a = new Uint32Array(this.#size)
  #b = new Uint32Array(this.#size)
  #id = new Int32Array(this.#size).fill(-1)

  /** The state's number, or -(its new number) - 1 when it was unknown. */
  put(text: string): number {
    let h = 0x811c9dc5
    let g = 0x9e3779b9
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i)
      h = Math.imul(h ^ c, 0x01000193)
      g = Math.imul(g ^ c, 0x85ebca6b)
      g ^= g >>> 13
    }
    h = (h ^ (h >>> 15)) >>> 0
    g >>>= 0
    let at = this.#place(h, g)
    for (; this.#id[at]! >= 0; at = (at + 1) & (this.#size - 1)) if (this.#a[at] === h && this.#b[at] === g) return this.#id[at]!
    this.#set(at, h, g, this.count)
    const fresh = this.count++
    if (this.count * 2 > this.#size) this.#grow()
    return -fresh - 1
  }

  #place(h: number, g: number): number {
    return (h ^ Math.imul(g, 31)) & (this.#size - 1)
  }

  #set(at: number, h: number, g: number, id: number): void {
    this.#a[at] = h
    this.#b[at] = g
    this.#id[at] = id
  }

  #grow(): void {
    const [a, b, id] = [this.#a, this.#b, this.#id]
    this.#size *= 2
    this.#a = new Uint32Array(this.#size)
    this.#b = new Uint32Array(this.#size)
    this.#id = new Int32Array(this.#size).fill(-1)
    for (let i = 0; i < id.length; i++) {
      if (id[i]! < 0) continue
      let at = this.#place(a[i]!, b[i]!)
      while (this.#id[at]! >= 0) at = (at + 1) & (this.#size - 1)
      this.#set(at, a[i]!, b[i]!, id[i]!)
    }
  }
}
