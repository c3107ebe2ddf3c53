import { create, fromJson } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type TransformStep, TransformStepSchema } from '../../proto/gen/ferry/v1/transform_pb.ts'
import type { JsonataEvaluation } from '../jsonata/jsonata.ts'
import { compileTransform } from './compile-transform.ts'
import { TransformError } from './transform-error.ts'
import { defaultTransformLimits, type TransformLimits } from './transform-limits.ts'
import { TransformSpecError } from './transform-problem.ts'

type Steps = readonly Parameters<typeof fromJson>[1][]
const jsonata: JsonataEvaluation = {
  evaluate: async (expression, text) => {
    if (expression === '$error("no")') throw new TransformError('at character 7: no')
    return `{"made":${text}}`
  },
}
const compile = (steps: TransformStep[], limits = defaultTransformLimits) => compileTransform(steps, limits, jsonata)
const read = (steps: Steps): TransformStep[] => steps.map((step) => fromJson(TransformStepSchema, step))

function transformed(steps: Steps, body: string, limits: TransformLimits = defaultTransformLimits): string {
  const given = Buffer.from(body)
  const made = String(compile(read(steps), limits)(given))
  expect(given.toString(), 'what was given is not written to').toBe(body)
  return made
}

function problemsOf(steps: Steps): string[] {
  try {
    compile(read(steps))
  } catch (error) {
    if (error instanceof TransformSpecError)
      return error.problems.map(({ step, field, message }) => `${step} ${field} ${message}`)
    throw error
  }
  return []
}

const move = (fields: Record<string, string>, required = false) => ({ move: { fields, required } })
const order = '{ "cust_id": 9007199254740993, "amt":"12.50", "items": [ {"q": 1, "sku":"A"},{"q":2} ], "addr":{"zip":"1010"} }'

describe('a transform', () => {
  it.each([
    [
      'renames columns in their places',
      [move({ cust_id: 'customerId', amt: 'amount' })],
      '{"customerId":9007199254740993,"amount":"12.50","items":[ {"q": 1, "sku":"A"},{"q":2} ],"addr":{"zip":"1010"}}',
    ],
    [
      'moves fields to other objects, and makes these',
      [move({ cust_id: 'customer.id', 'addr.zip': 'customer.address.zip' })],
      '{"amt":"12.50","items":[ {"q": 1, "sku":"A"},{"q":2} ],"addr":{},"customer":{"address":{"zip":"1010"},"id":9007199254740993}}',
    ],
    [
      'lets two fields change places',
      [move({ cust_id: 'amt', amt: 'cust_id' }), { keep: { fields: ['amt', 'cust_id'] } }],
      '{"amt":9007199254740993,"cust_id":"12.50"}',
    ],
    [
      'renames in each element of a list',
      [move({ 'items[].q': 'items[].quantity' }), { keep: { fields: ['items'] } }],
      '{"items":[{"quantity":1,"sku":"A"},{"quantity":2}]}',
    ],
    [
      'replaces what is at the new place',
      [move({ cust_id: 'amt' }), { drop: { fields: ['items', 'addr'] } }],
      '{"amt":9007199254740993}',
    ],
    [
      'lifts what is in an object into its place',
      [move({ 'addr.zip': 'addr' }), { keep: { fields: ['addr'] } }],
      '{"addr":"1010"}',
    ],
    [
      'drops fields, also those of elements',
      [{ drop: { fields: ['items[].sku', 'addr.zip', 'cust_id', 'none.at.all'] } }],
      '{"amt":"12.50","items":[{"q":1},{"q":2}],"addr":{}}',
    ],
    [
      'keeps only what is named',
      [{ keep: { fields: ['items[].sku', 'amt', 'none'] } }],
      '{"amt":"12.50","items":[{"sku":"A"},{}]}',
    ],
    [
      'nests fields in the order that is asked for',
      [{ nest: { fields: ['amt', 'cust_id'], under: 'order.head' } }, { keep: { fields: ['order'] } }],
      '{"order":{"head":{"amt":"12.50","cust_id":9007199254740993}}}',
    ],
    [
      'sets constants',
      [
        { keep: { fields: ['amt'] } },
        { set: { field: 'currency', text: 'EU"R' } },
        { set: { field: 'v.major', json: ' [1, 2.50] ' } },
      ],
      '{"amt":"12.50","currency":"EU\\"R","v":{"major":[1, 2.50]}}',
    ],
    [
      'sets only what is missing, when asked so',
      [{ keep: { fields: ['items'] } }, { set: { field: 'items[].sku', json: 'null', only_if_missing: true } }],
      '{"items":[{"q":1,"sku":"A"},{"q":2,"sku":null}]}',
    ],
    [
      'casts with all digits',
      [
        { keep: { fields: ['amt', 'cust_id', 'items'] } },
        { cast: { fields: ['amt'], to: 'CAST_TYPE_NUMBER' } },
        { cast: { fields: ['cust_id', 'items[].q'], to: 'CAST_TYPE_STRING' } },
      ],
      '{"cust_id":"9007199254740993","amt":12.50,"items":[{"q":"1","sku":"A"},{"q":"2"}]}',
    ],
  ] as [string, Steps, string][])('%s', (_what, steps, expected) => {
    expect(transformed(steps, order)).toBe(expected)
  })

  it('gives back the very bytes of what it has nothing to do with', () => {
    const body = Buffer.from(' [ 1.0, {"a" : 1e400} ] ')
    expect(compile([])(body)).toBe(body)
    expect(transformed([move({ '[].a': '[].b' })], body.toString())).toBe('[1.0,{"b":1e400}]')
    expect(transformed([move({ a: 'b' })], ' "text" ')).toBe(' "text" ')
  })

  it('takes names as they are meant, however they are written', () => {
    expect(transformed([move({ '"a.b"': 'é' })], '{"a.b":1}')).toBe('{"é":1}')
    expect(transformed([move({ é: '"x[]"' })], '{"\\u00e9":1}')).toBe('{"x[]":1}')
    expect(transformed([{ drop: { fields: ['__proto__'] } }], '{"__proto__":{"x":1},"a":1}')).toBe('{"a":1}')
  })

  it('lets the last of several members with one name count', () => {
    expect(transformed([move({ a: 'b' })], '{"a":1,"c":2,"a":3}')).toBe('{"b":3,"c":2}')
  })

  it.each([
    ['12', 'INTEGER', '12'],
    ['"12"', 'INTEGER', '12'],
    ['3.0', 'INTEGER', '3'],
    ['"3e2"', 'INTEGER', '300'],
    ['12345678901234567890', 'INTEGER', '12345678901234567890'],
    ['"0.10"', 'NUMBER', '0.10'],
    ['1E5', 'STRING', '"1E5"'],
    ['true', 'STRING', '"true"'],
    ['"t"', 'STRING', '"t"'],
    ['"false"', 'BOOLEAN', 'false'],
    ['1', 'BOOLEAN', 'true'],
    ['null', 'NUMBER', 'null'],
  ])('casts %s to %s: %s', (value, to, expected) => {
    expect(transformed([{ cast: { fields: ['v'], to: `CAST_TYPE_${to}` } }], `{"v":${value}}`)).toBe(`{"v":${expected}}`)
  })

  it.each([
    ['{"v":"1,5"}', [{ cast: { fields: ['v'], to: 'CAST_TYPE_NUMBER' } }], 'step 1 (cast): v is "1,5", which is not a number'],
    ['{"v":1.5}', [{ cast: { fields: ['v'], to: 'CAST_TYPE_INTEGER' } }], 'step 1 (cast): v is 1.5, which is not a whole number'],
    [
      '{"v":"yes"}',
      [{ cast: { fields: ['v'], to: 'CAST_TYPE_BOOLEAN' } }],
      'step 1 (cast): v is "yes", which is not true or false',
    ],
    ['{"v":{}}', [{ cast: { fields: ['v'], to: 'CAST_TYPE_STRING' } }], 'step 1 (cast): v is an object, which is not a text'],
    [
      '{"v":[1,"x"]}',
      [{ drop: { fields: ['y'] } }, { cast: { fields: ['v[]'], to: 'CAST_TYPE_NUMBER' } }],
      'step 2 (cast): v[] is "x", which is not a number',
    ],
    ['{"v":1}', [{ cast: { fields: ['w'], to: 'CAST_TYPE_NUMBER', required: true } }], 'step 1 (cast): there is no field w'],
    ['{"v":1}', [move({ 'a.b': 'c' }, true)], 'step 1 (move): there is no field a.b'],
    ['{"v":1}', [move({ 'v[].b': 'v[].c' }, true)], 'step 1 (move): there is no field v[].b'],
    ['{"v":[{"b":1},{}]}', [move({ 'v[].b': 'v[].c' }, true)], 'step 1 (move): there is no field v[].b'],
    ['{"v":1,"w":2}', [move({ w: 'v.x' })], 'step 1 (move): v.x cannot be put there: v is a number'],
    ['[1]', [{ set: { field: 'a', text: '' } }], 'step 1 (set): a cannot be put into a list'],
    ['[1]', [{ set: { field: '[].a', text: '' } }], 'step 1 (set): [].a cannot be put into a number'],
  ] as [string, Steps, string][])('does not send %s, of which the transform makes nothing', (body, steps, message) => {
    expect(() => transformed(steps, body)).toThrow(new TransformError(`the transform fails at ${message}`))
  })

  it('ends where a record asks for too much', () => {
    const list = `{"v":[${Array(1000).fill('{}').join()}]}`
    const limits = { fieldsMax: 2500, bodyCharsMax: 50_000 }
    const set = (field: string, chars: number) => ({ set: { field, text: 'x'.repeat(chars) } })
    expect(transformed([set('v[].a', 9)], list, limits)).toHaveLength(18_007)
    expect(() => transformed([set('v[].a', 99)], list, limits)).toThrow('a body of more than 50000 characters')
    expect(() => transformed([set('v[].a', 1), set('v[].b', 1), set('v[].c', 1)], list, limits)).toThrow(
      'step 3 (set): the steps look at more than 2500 fields',
    )
    const huge = `{"v":[${Array(100_000).fill('{}').join()}]}`
    expect(() => transformed([set('v[].a', 10_000)], huge)).toThrow('a body of more than')
  })

  it('says everything that is wrong with its steps at once', () => {
    const steps = [
      move({ 'a..b': 'c', d: 'd', 'e[].f': 'g', 'h[]': 'i' }),
      move({ a: 'x', 'a.b': 'y', c: 'x.z' }),
      { drop: { fields: ['ok', 'a b', '"unclosed', 'a]'] } },
      { nest: { fields: ['a.x', 'b.x', 'c'], under: 'c.d' } },
      { set: { field: 'a', json: '{"a":}' } },
      { cast: { fields: ['v[]', ''], to: 'CAST_TYPE_NUMBER' } },
      { keep: { fields: [Array(17).fill('a').join('.')] } },
    ]
    expect(problemsOf(steps)).toEqual([
      `0 the key of move.fields["a..b"] must be the path of a field, such as customer.name or items[].sku; given "a..b": at character 3 there must be a name, and there is "."`,
      '0 move.fields["d"] must be another path than "d" itself',
      '0 move.fields["e[].f"] must lead through the same lists as "e[].f": that is in e[], this in no list',
      '0 the key of move.fields["h[]"] must end with the name of a field; given "h[]": to name a whole list, leave the last [] out',
      '1 move.fields["a.b"] must not be moved together with "a", since one is in the other: use two steps',
      '1 move.fields["c"] must not be moved to where "a" goes, or into it; both go to "x"',
      `2 drop.fields[2] must be the path of a field, such as customer.name or items[].sku; given "\\"unclosed": at character 1 there must be a name, and there is "\\""`,
      `2 drop.fields[3] must be the path of a field, such as customer.name or items[].sku; given "a]": at character 2 there must be '.' or '[]', and there is "]"`,
      '3 nest.fields[1] must have another last name than "a.x"; given "b.x"',
      '3 nest.fields[2] must not be nest.under, or hold it; given "c"',
      expect.stringContaining('4 set.json must be one JSON value'),
      '5 cast.fields[1] must be the path of a field, such as customer.name or items[].sku; given "": it is empty',
      expect.stringContaining('6 keep.fields[0] must be the path'),
    ])
    expect(() => compile([create(TransformStepSchema)])).toThrow('exactly one kind of step')
  })
})

describe('a transform with JSONata', () => {
  const expression = (text: string) => ({ jsonata: { expression: text } })

  it('does its steps in turn, before and after, and comes later', async () => {
    const steps = [move({ a: 'b' }), expression('$'), { cast: { fields: ['made.b'], to: 'CAST_TYPE_STRING' } }]
    const made = compile(read(steps))(Buffer.from('{"a":9007199254740993}'))
    expect(made).toBeInstanceOf(Promise)
    expect(String(await made)).toBe('{"made":{"b":"9007199254740993"}}')
  })

  it('says which step fails, also one of the others', async () => {
    const [first, second] = [
      [{ drop: { fields: ['x'] } }, expression('$error("no")')],
      [expression('$'), move({ x: 'y' }, true)],
    ]
    const body = Buffer.from('{}')
    await expect(compile(read(first))(body)).rejects.toThrow(
      new TransformError('the transform fails at step 2 (jsonata): at character 7: no'),
    )
    await expect(compile(read(second))(body)).rejects.toThrow(
      new TransformError('the transform fails at step 2 (move): there is no field x'),
    )
  })

  it('is refused with the place of what is wrong', () => {
    expect(problemsOf([expression('{"a": b'), expression('$sum(a.(b * ))'), expression('('.repeat(9000))])).toEqual([
      '0 jsonata.expression must be a JSONata expression; at character 7: Expected "}" before end of expression',
      expect.stringMatching(
        /^1 jsonata\.expression must be a JSONata expression; at character \d+: The symbol "\)" cannot be used/,
      ),
      '2 jsonata.expression must be a JSONata expression; it is nested too deep',
    ])
  })
})

// The same by another way: on parsed values, with plain objects.
type Value = null | boolean | number | string | Value[] | { [name: string]: Value }
const names = fc.constantFrom('a', 'b', 'c', 'd')
const leaf = fc.oneof(
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
)
const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.dictionary(fc.oneof(names, fc.string()), tie('value'), { maxKeys: 30 }),
    fc.array(tie('value'), { maxLength: 4 }),
  ),
}))
const isObject = (each: Value | undefined): each is { [name: string]: Value } =>
  typeof each === 'object' && each !== null && !Array.isArray(each)
const written = (each: Value): Value => JSON.parse(JSON.stringify(each)) as Value

describe('a transform of any JSON', () => {
  const object = fc.dictionary(fc.oneof(names, fc.string()), value, { maxKeys: 30, noNullPrototype: true })

  it('renames as parsing and writing anew would', () => {
    fc.assert(
      fc.property(object, names, names, (given, from, to) => {
        fc.pre(from !== to)
        const result = JSON.parse(transformed([move({ [from]: to })], JSON.stringify(given))) as Value
        const expected = written(
          Object.fromEntries(Object.entries(given).map(([name, each]) => [name === from ? to : name, each])),
        ) as object
        const other = Object.entries(given).filter(([name]) => name !== to || !(from in given))
        const members = other.map(([name, each]) => [name === from ? to : name, each] as const)
        expect(result).toEqual(written(Object.fromEntries(members)))
        expect(Object.keys(result as object).sort()).toEqual(Object.keys(expected).sort())
      }),
    )
  })

  it('drops as parsing and writing anew would, in lists and out of them', () => {
    fc.assert(
      fc.property(value, names, names, (given, outer, inner) => {
        const expected = written(given)
        if (isObject(expected)) {
          const found = Object.hasOwn(expected, outer) ? expected[outer] : undefined
          if (isObject(found)) delete found[inner]
          if (Array.isArray(found)) for (const each of found) if (isObject(each)) delete each[inner]
        }
        const steps = [{ drop: { fields: [`${outer}.${inner}`, `${outer}[].${inner}`] } }]
        expect(JSON.parse(transformed(steps, JSON.stringify(given, null, 1)))).toEqual(expected)
      }),
    )
  })

  it('moves numbers with all their digits, and texts with their escapes', () => {
    const token = fc.oneof(
      fc.bigInt().map(String),
      fc.stringMatching(/^-?[1-9]\d{0,30}\.\d{1,30}([eE][+-]?\d{1,5})?$/),
      fc.string().map((text) => JSON.stringify(text)),
      fc.constantFrom('"\\ud800"', '"\\u0000\\/"', '[ 1 , {"x" : 1.00} ]', '{"{" : "}"}'),
    )
    fc.assert(
      fc.property(token, token, (first, second) => {
        const steps = [move({ a: 'x.y', 'b.c': 'z' })]
        expect(transformed(steps, `{"a": ${first} ,"b":{"c":${second}\n}}`)).toBe(`{"b":{},"x":{"y":${first}},"z":${second}}`)
      }),
    )
  })

  it('is undone by the opposite', () => {
    fc.assert(
      fc.property(object, (given) => {
        fc.pre(!Object.hasOwn(given, 'new'))
        const body = JSON.stringify(given)
        const there = { a: 'new.a', b: 'new.b', c: 'new.c' }
        const back = { 'new.a': 'a', 'new.b': 'b', 'new.c': 'c' }
        const result = transformed([move(there), move(back), { drop: { fields: ['new'] } }], body)
        expect(JSON.parse(result)).toEqual(JSON.parse(body))
      }),
    )
  })
})
