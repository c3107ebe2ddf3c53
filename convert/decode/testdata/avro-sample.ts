import type { Choices } from './choices.ts'

/** An Avro schema, a value of it as the package avsc wants it (unions wrapped), and the JSON that it must become. */
export interface AvroSample {
  readonly schema: unknown
  readonly value: unknown
  readonly json: unknown
}

/** Samples of any shape. Names are given out one after the other, so that each type has its own. */
export function avroSample(choices: Choices, names = { used: 0 }, depth = 0): AvroSample {
  const kind = depth > 4 ? choices.below(8) : choices.below(13)
  const plain = scalars[kind]
  if (plain !== undefined) return plain(choices)
  const inner = (): AvroSample => avroSample(choices, names, depth + 1)
  const name = `N${++names.used}`
  switch (kind) {
    case 8: {
      const fields = Array.from({ length: choices.below(4) }, (_, at) => ({ name: `f${at}`, sample: inner() }))
      const pick = (part: (sample: AvroSample) => unknown): Record<string, unknown> =>
        Object.fromEntries(fields.map(({ name: field, sample }) => [field, part(sample)]))
      return {
        schema: { type: 'record', name, fields: fields.map((each) => ({ name: each.name, type: each.sample.schema })) },
        value: pick((sample) => sample.value),
        json: pick((sample) => sample.json),
      }
    }
    case 9: {
      const symbols = ['A', 'B', 'C'].slice(0, 1 + choices.below(3))
      const symbol = choices.pick(...symbols)
      return { schema: { type: 'enum', name, symbols }, value: symbol, json: symbol }
    }
    case 10: {
      const item = inner()
      const count = choices.below(3)
      const times = (each: unknown): unknown[] => Array(count).fill(each)
      return { schema: { type: 'array', items: item.schema }, value: times(item.value), json: times(item.json) }
    }
    case 11: {
      const item = inner()
      const keys = ['b', '', 'a "quoted"', 'größe', '__proto__', '1'].slice(0, choices.below(7))
      const of = (each: unknown): unknown => Object.fromEntries(keys.map((key) => [key, each]))
      return { schema: { type: 'map', values: item.schema }, value: of(item.value), json: of(item.json) }
    }
    default: {
      const branch = avroSample(choices, names, 5)
      const isNull = branch.schema === 'null'
      const schema = isNull ? ['null'] : choices.pick(['null', branch.schema], [branch.schema, 'null'])
      if (isNull || choices.rarely(3)) return { schema, value: null, json: null }
      const type = branch.schema as string | { name: string }
      return { schema, value: { [typeof type === 'string' ? type : type.name]: branch.value }, json: branch.json }
    }
  }
}

const same = (schema: string, value: unknown, json = value): AvroSample => ({ schema, value, json })
const bytesOf = (choices: Choices): Buffer => Buffer.from(Array.from({ length: choices.below(9) }, () => choices.below(256)))

const scalars: readonly ((choices: Choices) => AvroSample)[] = [
  () => same('null', null),
  (choices) => same('boolean', choices.rarely(2)),
  (choices) => same('int', choices.pick(0, 1, -1, 63, -64, 64, 2 ** 31 - 1, -(2 ** 31), choices.below(100_000))),
  (choices) => {
    const value = choices.pick(0, -1, 64, 2 ** 32, -(2 ** 32), 2 ** 52, -(2 ** 52), choices.below(1e12))
    return same('long', value, String(value) as unknown as number)
  },
  (choices) => same('float', Math.fround(choices.pick(0, 1.5, -0.1, 3e38, choices.below(1000) / 7))),
  (choices) => same('double', choices.pick(0, 1.5, -0.1, 1e300, 5e-324, choices.below(1000) / 7)),
  (choices) => {
    const value = bytesOf(choices)
    return { schema: 'bytes', value, json: value.toString('base64') }
  },
  (choices) => same('string', choices.pick('', 'text', 'größe "€"\n\u0001', '😀', 'x'.repeat(choices.below(200)))),
]
