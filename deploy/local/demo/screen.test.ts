import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { Screen } from './screen.ts'

/** A terminal is a stream with isTTY and a window; `written` is what it has got. */
function fakeStream(columns?: number): { stream: NodeJS.WriteStream; written: () => string } {
  const stream = new PassThrough()
  const window = columns === undefined ? {} : { isTTY: true, getWindowSize: () => [columns, 24] }
  return { stream: Object.assign(stream, window) as unknown as NodeJS.WriteStream, written: () => String(stream.read() ?? '') }
}

test('on a terminal the progress is written over, and what happens is put above it', () => {
  const { stream, written } = fakeStream(80)
  const screen = new Screen(stream, false)
  screen.progress('10 rows', 0)
  screen.progress('20 rows', 100)
  screen.line('a worker is killed')
  screen.endProgress()
  const clear = '\r\x1b[2K'
  expect(written()).toBe(`${clear}  10 rows${clear}  20 rows${clear}  a worker is killed\n${clear}  20 rows${clear}`)
})

test('elsewhere the progress is a plain line every two seconds, without control characters', () => {
  const { stream, written } = fakeStream()
  const screen = new Screen(stream, true)
  for (let ms = 0; ms <= 4_000; ms += 100) screen.progress(`at ${ms}`, ms)
  screen.line(screen.paint.red('red'))
  screen.endProgress()
  expect(written()).toBe('  at 0\n  at 2000\n  at 4000\n  red\n')
})

test('colours are only for terminals, and only where they are wanted', () => {
  const paint = (columns: number | undefined, withColor: boolean) =>
    new Screen(fakeStream(columns).stream, withColor).paint.green('ok')
  expect(paint(80, true)).toBe('\x1b[32mok\x1b[0m')
  expect(paint(80, false)).toBe('ok')
  expect(paint(undefined, true)).toBe('ok')
})

test('a step says that it is done and how long it took; one that fails says nothing', async () => {
  const { stream, written } = fakeStream()
  const screen = new Screen(stream, false)
  await expect(screen.step('Kafka', async () => 7)).resolves.toBe(7)
  expect(written()).toMatch(/^ {2}✓ Kafka +0\.0 s\n$/)
  await expect(screen.step('Redis', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
  expect(written()).toBe('')
})

test('lines leave room for the margin and never fill the last column', () => {
  expect(new Screen(fakeStream(80).stream, false).width).toBe(77)
})
