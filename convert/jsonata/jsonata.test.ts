import { afterAll, describe, expect, it, vi } from 'vitest'
import { TransformError } from '../transform/transform-error.ts'
import { defaultJsonataLimits, Jsonata } from './jsonata.ts'

const warn = vi.fn<(fields: object, message: string) => void>()
const open = (over: Partial<typeof defaultJsonataLimits> & { readonly processes?: number } = {}): Jsonata =>
  new Jsonata({ ...defaultJsonataLimits, memoryBytesMax: 64 << 20, processes: 1, log: { warn }, ...over })

const shared = open({ timeoutMs: 500 })
afterAll(() => shared.close())
const evaluate = (expression: string, value: string): Promise<string> => shared.evaluate(expression, value)

const repeat = '($d := function($s, $n) { $n = 0 ? $s : $d($s & $s, $n - 1) };'

describe('JSONata', () => {
  it.each([
    [
      '{"id": order.id, "total": $sum(items.(p * q))}',
      '{"order":{"id":7},"items":[{"p":2,"q":3},{"p":1.5,"q":2}]}',
      '{"id":7,"total":9}',
    ],
    ['{"id": id, "text": $string(id)}', '{"id":9007199254740993}', '{"id":9007199254740993,"text":"9007199254740993"}'],
    ['$', '[1]', '[1]'],
    ['{"a": $sum, "b": function($x) { $x }}', '{}', '{}'],
    ['$.constructor.constructor("return process")()', '{}', 'the expression gives nothing'],
    ['missing', '{}', 'the expression gives nothing'],
    ['1 + "a"', '{}', 'at character 3: The right side of the "+" operator must evaluate to a number'],
    ['id + 1', '{"id":9007199254740993}', 'at character 4: The left side of the "+" operator must evaluate to a number'],
    ['$error("no amount")', '{}', 'at character 7: no amount'],
  ])('%s of %s is %s', async (expression, value, expected) => {
    const result = await evaluate(expression, value).catch((error: TransformError) => error.message)
    expect(result).toBe(expected)
  })

  it('answers each its own, in whatever batches they go', async () => {
    const values = Array.from({ length: 500 }, (_, at) => at)
    const results = await Promise.all(values.map((at) => evaluate(at % 2 === 0 ? '{"a": n}' : '{"b": n}', `{"n":${at}}`)))
    expect(results).toEqual(values.map((at) => (at % 2 === 0 ? `{"a":${at}}` : `{"b":${at}}`)))
  })

  it.each([
    ['calls itself without end', '($f := function($x) { $f($x) }; $f(1))', /Evaluation timeout after 500 milliseconds/],
    ['goes too deep', '($f := function($x) { 1 + $f($x) }; $f(1))', /Stack overflow/],
    ['makes a list too long', '[1..9999999]', /maximum sequence length/],
    ['makes a text too long for any', `${repeat} $length($d("xxxxxxxxxxxxxxxx", 25)))`, /Invalid string length/],
  ])('ends an expression that %s, with the reason', async (_what, expression, message) => {
    await expect(evaluate(expression, '{}')).rejects.toThrow(message)
    expect(warn).not.toHaveBeenCalled()
  })
})

describe('a process that evaluates JSONata', () => {
  it.each([
    [
      'more memory than it has',
      `${repeat} $length($base64encode($d("xxxxxxxxxxxxxxxx", 22))))`,
      'the expression takes more than 64 MiB of memory',
    ],
    ['time without end', '$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)', 'the expression takes longer than 500 ms'],
  ])('is lost by who takes %s, and only that record fails', async (_what, expression, message) => {
    const poison = `(n = 3 ? ${expression} : {"n": n})`
    const values = [1, 2, 3, 4, 5].map((n) => `{"n":${n}}`)
    const results = await Promise.allSettled([
      ...values.map((value) => evaluate(poison, value)),
      ...values.map((value) => evaluate('{"other": n}', value)),
    ])
    const said = results.map((each) => (each.status === 'fulfilled' ? each.value : each.reason))
    expect(said).toEqual([
      ...['{"n":1}', '{"n":2}', new TransformError(message), '{"n":4}', '{"n":5}'],
      ...values.map((value) => value.replace('n', 'other')),
    ])
  })

  it('knows nothing of its parent, reads no file but its own, and makes no code', async () => {
    process.env['SOME_SECRET'] = 'x'
    const tried = '$eval("1 + 1")'
    expect(await evaluate(`{"a": ${tried}}`, '{}')).toBe('{"a":2}')
  })

  it('is not needed before something is asked for, and does nothing more when it is closed', async () => {
    const own = open()
    own.close()
    const never = own.evaluate('1', '{}').then(() => 'done')
    expect(await Promise.race([never, new Promise((resolve) => setTimeout(() => resolve('nothing'), 50))])).toBe('nothing')
  })
})
