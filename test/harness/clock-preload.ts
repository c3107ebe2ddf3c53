// Loaded into a process before its program: Date is as far ahead as a file says. See clock.ts.
import { readFileSync } from 'node:fs'

const file = process.env['CLOCK_AHEAD_FILE']!
const RealDate = Date
let aheadMs = Number(readFileSync(file, 'utf8'))
setInterval(() => {
  aheadMs = Number(readFileSync(file, 'utf8'))
}, 20).unref()

globalThis.Date = class extends RealDate {
  constructor(...given: readonly unknown[]) {
    super(...((given.length === 0 ? [RealDate.now() + aheadMs] : given) as [number]))
  }

  static override now(): number {
    return RealDate.now() + aheadMs
  }
} as DateConstructor
