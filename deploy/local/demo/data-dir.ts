import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

const parent = join(import.meta.dirname, '../../../.local/data')
const numberMax = 10_000

/** Makes a fresh directory for one run, also when several start at once. */
export function makeDataDir(): string {
  mkdirSync(parent, { recursive: true })
  for (let number = 1; number <= numberMax; number++) {
    const dir = join(parent, `demo-${number}`)
    try {
      mkdirSync(dir)
      return dir
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  throw new Error(`${parent} is full of demo directories: remove them`)
}
