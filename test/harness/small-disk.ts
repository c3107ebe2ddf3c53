import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const commandMsMax = 10_000
const run = (command: string, args: readonly string[]): void => {
  execFileSync(command, args, { timeout: commandMsMax, stdio: 'pipe' })
}

/** A file system of its own in memory, so that it can be filled without harm to others. Needs the right to mount. */
export class SmallDisk implements Disposable {
  readonly dir: string
  readonly #filler: string

  private constructor(dir: string) {
    this.dir = dir
    this.#filler = join(dir, 'filler')
  }

  static mount(dir: string, bytesMax: number): SmallDisk {
    mkdirSync(dir, { recursive: true })
    run('mount', ['-t', 'tmpfs', '-o', `size=${bytesMax}`, 'tmpfs', dir])
    return new SmallDisk(dir)
  }

  /** Takes all that is left, so that nobody else can write another byte. */
  fill(): void {
    const block = Buffer.alloc(1 << 20)
    for (const size of [1 << 20, 1 << 12]) {
      for (;;) {
        try {
          writeFileSync(this.#filler, block.subarray(0, size), { flag: 'a' })
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'ENOSPC') break
          throw error
        }
      }
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true })
  }

  [Symbol.dispose](): void {
    if (existsSync(this.dir)) run('umount', ['--lazy', this.dir])
  }
}

/** Whether this machine lets us mount. */
export function canMount(): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'ferry-mount-'))
  try {
    SmallDisk.mount(dir, 1 << 20)[Symbol.dispose]()
    return true
  } catch {
    return false
  } finally {
    rmdirSync(dir)
  }
}
