import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const runMsMax = 240_000

async function runLoadTest(args: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: runMsMax,
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, out, err }
}

test('wrong arguments end it with code 2, what is wrong, and the usage', async () => {
  const { code, out, err } = await runLoadTest(['--recrods', '5'])
  expect([code, out]).toEqual([2, ''])
  expect(err).toMatch(/--recrods[\s\S]*usage: npm run loadtest/)
})

test('a small load goes four ways, nothing is missing, and the last line is the object for machines', {
  timeout: runMsMax,
}, async () => {
  const { code, out, err } = await runLoadTest(['--records', '20000', '--json'])
  expect(code, err).toBe(0)
  const json = JSON.parse(out.trimEnd().split('\n').at(-1)!)
  for (const name of ['ferry', 'limit', 'naive', 'tuned']) {
    const { recordsPerSecond, cpuUserUsPerRecord, rssMaxMiB, missing } = json[name]
    expect(missing, name).toBe(0)
    for (const figure of [recordsPerSecond, cpuUserUsPerRecord, rssMaxMiB]) expect(figure, name).toBeGreaterThan(0)
  }
  const ratios = ['throughputToLimit', 'cpuToLimit', 'cpuToNaive', 'cpuToTuned']
  for (const ratio of ratios) expect(json.ratios[ratio], ratio).toBeGreaterThan(0)
  expect(json.ferry.paced.latencies.appendToAnswer.p99Ms).toBeGreaterThan(0)
  expect(json.ferry.repeated).toBe(0)
})
