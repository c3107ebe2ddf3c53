import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseMachineBusyMs, parseProcessStat, parseRssMaxMiB } from './proc-files.ts'

test('CPU time is found behind a program name with spaces and brackets', () => {
  const rest = 'S 1 42 42 0 -1 4194560 5000 0 3 0 123 45 7 8 20 0 12 0 900000 1000 2000 18446744073709551615'
  expect(parseProcessStat(`42 (node) ${rest}`)).toEqual({ userMs: 1_230, systemMs: 450 })
  expect(parseProcessStat(`42 (a) b (c 1 2)) ${rest}`)).toEqual({ userMs: 1_230, systemMs: 450 })
  expect(() => parseProcessStat('42 (node) S 1')).toThrow('no /proc/PID/stat')
})

test('the highest resident size is in mebibytes', () => {
  expect(parseRssMaxMiB('Name:\tnode\nVmPeak:\t 2048 kB\nVmHWM:\t    3072 kB\nVmRSS:\t 1024 kB\n')).toBe(3)
  expect(() => parseRssMaxMiB('Name:\tkthreadd\n')).toThrow('VmHWM')
})

test('the machine is busy with everything but idling, waiting for disks and other guests', () => {
  expect(parseMachineBusyMs('cpu  100 20 30 9000 8000 4 5 700 60 0\ncpu0 50 10 15 4500 4000 2 2 350 30 0\n')).toBe(1_590)
  expect(() => parseMachineBusyMs('')).toThrow('no /proc/stat')
})

test("this machine's own files are understood, and this process has used what Node says", () => {
  const { userMs, systemMs } = parseProcessStat(readFileSync('/proc/self/stat', 'utf8'))
  const { user, system } = process.cpuUsage()
  expect(Math.abs(userMs - user / 1000)).toBeLessThan(100)
  expect(Math.abs(systemMs - system / 1000)).toBeLessThan(100)
  expect(parseMachineBusyMs(readFileSync('/proc/stat', 'utf8'))).toBeGreaterThanOrEqual(userMs + systemMs)
  expect(parseRssMaxMiB(readFileSync('/proc/self/status', 'utf8'))).toBeGreaterThan(10)
})
