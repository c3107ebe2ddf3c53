import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach } from 'vitest'

const dirs: string[] = []
let hasFailed = false

/** A directory for what this file's processes print. It goes with the file, and stays, named in the output, when a test has failed. */
export function logDir(): string {
  const dir = mkdtempSync(join(tmpdir(), `ferry-logs-${process.pid}-`))
  dirs.push(dir)
  return dir
}

/** A set-up has failed: of that no test tells. */
export function keepLogs(): void {
  hasFailed = true
}

afterEach((context) => {
  hasFailed ||= context.task.result?.state === 'fail'
})

afterAll(() => {
  if (hasFailed) console.error(`the processes' logs are in ${dirs.join(', ')}`)
  else for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
})
