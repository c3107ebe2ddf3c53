import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { isAlive } from '../../test/is-alive.ts'
import { LocalProcess } from './local-process.ts'
import { StackError } from './stack-error.ts'

const waitMsMax = 20_000
const dataDir = mkdtempSync(join(tmpdir(), 'ferry-process-'))
afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

let count = 0
const run = (script: string, isReady = async () => true): LocalProcess =>
  new LocalProcess({ name: `process-${++count}`, command: process.execPath, args: ['-e', script], dataDir, isReady })

test('what a process prints goes to its two files, and its exit code is told', async () => {
  const process_ = run('console.log("one"); console.error("two"); process.exitCode = 3')
  expect(await process_.waitExit(waitMsMax)).toEqual({ code: 3, signal: null })
  expect(readFileSync(process_.outFile, 'utf8')).toBe('one\n')
  expect(readFileSync(process_.errFile, 'utf8')).toBe('two\n')
})

test('a process that is killed ends by that signal, and killing it again does nothing', async () => {
  const process_ = run('setInterval(() => {}, 1000)')
  expect(process_.exit).toBeUndefined()
  process_.kill('SIGKILL')
  expect(await process_.waitExit(waitMsMax)).toEqual({ code: null, signal: 'SIGKILL' })
  process_.kill('SIGKILL')
  expect(process_.exit).toEqual({ code: null, signal: 'SIGKILL' })
})

test('stop asks first, also a frozen process, and uses force only when it takes too long', async () => {
  const polite = run('process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1000); console.log("on")')
  await vi.waitFor(() => expect(readFileSync(polite.outFile, 'utf8')).toBe('on\n'), { timeout: waitMsMax })
  polite.kill('SIGSTOP')
  expect(await polite.stop(waitMsMax)).toEqual({ code: 0, signal: null })
  const stubborn = run('process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("on")')
  await vi.waitFor(() => expect(readFileSync(stubborn.outFile, 'utf8')).toBe('on\n'), { timeout: waitMsMax })
  expect(await stubborn.stop(100)).toEqual({ code: null, signal: 'SIGKILL' })
})

test('a process that ends before it is ready is an error with its last words', async () => {
  const process_ = run('console.error("no such port"); process.exit(2)', async () => false)
  const error = await process_.waitReady(waitMsMax).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(StackError)
  expect((error as StackError).message).toMatch(/exit code 2[\s\S]*no such port/)
})

test('waiting has an end', async () => {
  const process_ = run('setInterval(() => {}, 1000)', async () => false)
  await expect(process_.waitReady(100)).rejects.toThrow('not ready after 0.1 s')
  await expect(process_.waitExit(100)).rejects.toThrow('still runs after 0.1 s')
  await process_.stop(waitMsMax)
})

test('a program that is not there is an error that says so', () => {
  const spec = { name: 'nothing', command: 'no-such-program', args: [], dataDir, isReady: async () => true }
  expect(() => new LocalProcess(spec)).toThrow('cannot run no-such-program')
})

test('a process dies with the one that started it, also by SIGKILL', async () => {
  const parent = run(`
    import(${JSON.stringify(join(import.meta.dirname, 'local-process.ts'))}).then(({ LocalProcess }) => {
      const spec = { name: 'grandchild', command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] }
      const child = new LocalProcess({ ...spec, dataDir: ${JSON.stringify(dataDir)}, isReady: async () => true })
      console.log(child.pid)
      setInterval(() => {}, 1000)
    })`)
  const pid = await vi.waitFor(
    () => {
      const text = readFileSync(parent.outFile, 'utf8')
      expect(text).toMatch(/^\d+\n$/)
      return Number(text)
    },
    { timeout: waitMsMax },
  )
  expect(isAlive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: waitMsMax })
})
