import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExpressionError } from '../expression-error.ts'
import type { SourceRecord } from '../source-record.ts'
import { compileFilter, FilterError } from './compile-filter.ts'
import { defaultFilterLimits } from './filter-limits.ts'

const source = { topic: 'orders', partition: 3 }
const record = (value: unknown, over: Partial<SourceRecord> = {}): SourceRecord => ({
  ...{ offset: '9007199254740993', timestamp: '1764000000000', key: Buffer.from('k1') },
  headers: { type: Buffer.from('created'), twice: [Buffer.from('a'), Buffer.from('b')] },
  value: value === null ? null : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  ...over,
})
const asIs = (value: Buffer): Buffer => value
const keeps = (expression: string, value: unknown = {}, over?: Partial<SourceRecord>): boolean =>
  compileFilter(expression, defaultFilterLimits)(record(value, over), source, asIs)

function problemsOf(expression: string): readonly (string | number | undefined)[][] {
  try {
    compileFilter(expression, defaultFilterLimits)
  } catch (error) {
    if (error instanceof ExpressionError) return error.problems.map(({ message, position }) => [position, message])
    throw error
  }
  return []
}

describe('a filter', () => {
  it.each([
    ['key == "k1" && topic == "orders" && partition == 3'],
    ['offset == 9007199254740993'],
    ['timestamp > timestamp("2025-11-24T00:00:00Z") && timestamp.getFullYear() == 2025'],
    ['headers.type == "created" && headers["twice"] == "b" && !("none" in headers)'],
    ['value.status == "paid" && value.amount > 10 && value.amount < 12.6'],
    ['value.customer.country.lowerAscii() in ["de", "at"]'],
    ['value.items.exists(i, i.qty >= 2) && value.items.all(i, i.sku.matches("^[A-Z][0-9]+$"))'],
    ['value.items.filter(i, i.qty > 1).map(i, i.sku) == ["B2"] && size(value.items) == 2'],
    ['has(value.nothing) && value.nothing == null && "nothing" in value && !has(value.absent)'],
    ['int(value.count) % 2 == 1 && value.count + 1.0 == 6.0'],
    ['value.missing == 1 || true'],
    ['value["a key"] == 1 && value.items[1].qty == 2'],
    ['value.size() == 8'],
  ])('%s holds', (expression) => {
    const value = {
      ...{ status: 'paid', amount: 12.5, count: 5, customer: { country: 'DE' }, nothing: null, 'a key': 1, list: [[1], [2, 3]] },
      items: [
        { sku: 'A1', qty: 1 },
        { sku: 'B2', qty: 2 },
      ],
    }
    expect(keeps(expression, value)).toBe(true)
    expect(keeps(`!(${expression})`, value)).toBe(false)
  })

  it('tells whole numbers apart that a double does not', () => {
    const value = '{"id":9007199254740993,"huge":123456789012345678901234567890,"text":"1234567890123456"}'
    expect(keeps('value.id == 9007199254740993', value)).toBe(true)
    expect(keeps('value.id == 9007199254740992', value)).toBe(false)
    expect(keeps('value.huge > 1e29 && value.text == "1234567890123456"', value)).toBe(true)
  })

  it('sees numbers in between as doubles, whole or not', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        // Written as digits alone, and beyond what a double tells apart: of those the test above is.
        fc.pre(!Number.isInteger(number) || Number.isSafeInteger(number) || Math.abs(number) >= 1e21)
        expect(keeps('type(value) == double && value == dyn(value) && value + 0.0 == value', JSON.stringify(number))).toBe(true)
      }),
    )
  })

  it('has no key of a record without one, and bytes of one that is no text', () => {
    expect(keeps('key == null', {}, { key: null })).toBe(true)
    expect(keeps('key == b"\\377"', {}, { key: Buffer.from([255]) })).toBe(true)
  })

  it('does not read the value of a record when it does not ask for it', () => {
    const filter = compileFilter('headers.type == "created"', defaultFilterLimits)
    const never = (): Buffer => {
      throw new Error('was read')
    }
    expect(filter(record({}), source, never)).toBe(true)
    expect(() => compileFilter('value.a == 1', defaultFilterLimits)(record({}), source, never)).toThrow('was read')
  })

  it.each([
    ['value.absent == 1', 'the filter fails at character 6: field not found: absent'],
    ['value.text + 1 == 2', "the filter fails at character 12: found no matching overload for '_+_' applied to '(string, int)'"],
    ['value.text', 'the filter gives a text, neither true nor false'],
    ['value.list', 'the filter gives no truth value, neither true nor false'],
    ['value.text.matches("(" + value.text)', 'the filter fails at character 11: error parsing regexp'],
  ])('%s cannot decide, and says where', (expression, message) => {
    expect(() => keeps(expression, { text: 'a', list: [] })).toThrow(FilterError)
    expect(() => keeps(expression, { text: 'a', list: [] })).toThrow(message)
  })
})

describe('what is wrong with an expression is said with its position', () => {
  it.each<[string, number | undefined, string]>([
    ['value.a ==', 8, 'found = but expecting end of input'],
    ["value.a == 'x", 8, 'expecting'],
    ['valu.a == 1', 0, 'there is no variable valu; there are key, headers, topic, partition, offset, timestamp, value'],
    ['value.a == 1 && foo(value)', 16, 'there is no function foo; there are'],
    ['value.items.exist(i, true)', 11, 'there is no function exist'],
    ['value.a.matches("(")', 16, 'no regular expression of RE2'],
    ['1', 0, 'always gives the same constant'],
    ['value.a + value.b', 8, 'always gives something else'],
    ['[value.a]', 0, 'always gives a list'],
    ['value.a.replace("a", "b") == "b"', 7, 'there is no function replace'],
  ])('%s', (expression, position, message) => {
    const problems = problemsOf(expression)
    expect(problems[0]?.[1]).toContain(message)
    expect(problems[0]?.[0]).toBe(position)
  })

  it('all of it at once', () => {
    expect(problemsOf('foo == 1 || bar.baz(1)').map(([position]) => position)).toEqual([0, 15, 12])
  })
})

describe('a hostile expression', () => {
  const many = Array.from({ length: 5000 }, (_, index) => index)
  const tookMs = (action: () => void): number => {
    const from = performance.now()
    action()
    return performance.now() - from
  }

  it.each([
    ['value.all(a, value.all(b, value.all(c, a + b + c >= 0.0)))', 'its loops take'],
    ['value.map(a, value.map(b, value)).size() > 0', 'its loops take'],
    ['value.exists(a, value.exists(b, value.exists(c, false))) || true', ''],
    [
      '["a"].map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a) == ["b"]',
      'more than 1048576 characters',
    ],
  ])('%s ends soon', (expression, message) => {
    const filter = compileFilter(expression, defaultFilterLimits)
    const run = (): boolean => filter(record(many), source, asIs)
    if (message === '') expect(run()).toBe(true)
    else expect(run).toThrow(message)
    const took = tookMs(() => {
      try {
        run()
      } catch {}
    })
    expect(took).toBeLessThan(1000)
  })

  it('cannot backtrack without end in a regular expression', () => {
    const text = `${'a'.repeat(50_000)}!`
    expect(tookMs(() => expect(keeps('value.matches("^(a+)+$")', JSON.stringify(text))).toBe(false))).toBeLessThan(2000)
  })

  it('puts long lists together in linear time', () => {
    const long = Array.from({ length: 50_000 }, () => 1)
    const limits = { ...defaultFilterLimits, timeoutMs: 10_000 }
    const filter = compileFilter('value.filter(a, a > 0).map(a, a + 1.0).exists(a, a == 3.0)', { ...limits, stepsMax: 200_000 })
    const halfMs = tookMs(() => filter(record(long.slice(0, 25_000)), source, asIs))
    expect(tookMs(() => expect(filter(record(long), source, asIs)).toBe(false))).toBeLessThan(Math.max(halfMs, 50) * 8)
  })
})

const guide = await readFile(new URL('../../docs/filter.md', import.meta.url), 'utf8')

it.each(/```\n([\s\S]*?)```/.exec(guide)![1]!.trim().split('\n'))(
  'the example of docs/filter.md can be used: %s',
  (expression) => {
    const value = { status: 'paid', amount: 12.5, customer: { country: 'DE' }, items: [{ qty: 2 }] }
    expect(keeps(expression, value)).toBe(true)
    expect(keeps(expression, { ...value, amount: '1', items: [], status: 'open' }, { headers: { type: 'other' } })).toBe(false)
  },
)
