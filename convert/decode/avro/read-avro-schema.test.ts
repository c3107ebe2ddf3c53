import { expect, it } from 'vitest'
import { defaultDecodeLimits } from '../decode-limits.ts'
import { SchemaError } from '../schema-error.ts'
import { readAvroSchema } from './read-avro-schema.ts'

function problemOf(schema: unknown, text = JSON.stringify(schema)): string {
  try {
    readAvroSchema(text, defaultDecodeLimits)
    return 'none'
  } catch (error) {
    if (error instanceof SchemaError) return `${error.code}: ${error.message}`
    throw error
  }
}

const record = (...fields: unknown[]) => ({ type: 'record', name: 'a.b.R', fields })

it.each([
  [
    'names without a namespace are of the one around',
    record({ name: 'e', type: { type: 'enum', name: 'E', symbols: [] } }, { name: 'f', type: 'E' }, { name: 'g', type: 'a.b.E' }),
  ],
  ['a namespace of its own', { type: 'fixed', name: 'F', namespace: 'x.y', size: 0 }],
  ['a type inside of a type', { type: { type: 'array', items: { type: 'string' } } }],
  ['a default that does not fit, which is no matter of readers', record({ name: 'f', type: ['string', 'null'], default: null })],
  ['names as objects have them', record({ name: 'constructor', type: 'int' }, { name: '__proto__', type: ['null', 'R'] })],
])('takes %s', (_what, schema) => {
  expect(problemOf(schema)).toBe('none')
})

it.each([
  [
    'an unknown name',
    record({ name: 'f', type: 'strin' }),
    'is wrong at fields[0].type: there is no type "strin"; defined before it: a.b.R',
  ],
  ['a name of every object', 'constructor', 'there is no type "constructor"'],
  ['no name', { type: 'enum', symbols: ['A'] }, 'a enum must have a name; given nothing'],
  ['no fields', { type: 'record', name: 'R' }, 'is wrong at fields: must be a list; given nothing'],
  ['a field without a type', record({ name: 'f' }), 'at fields[0]: a field must have "type"'],
  ['a field without a name', record({ type: 'int' }), 'at fields[0]: a field must have a name'],
  ['a field twice', record({ name: 'f', type: 'int' }, { name: 'f', type: 'int' }), 'a.b.R has two fields "f"'],
  ['a type twice', record({ name: 'f', type: record() }), 'the type "a.b.R" is defined twice'],
  ['the name of a primitive type', { type: 'fixed', name: 'int', size: 1 }, 'a type cannot be named "int"'],
  ['a union in a union', ['null', ['int']], 'a union cannot be in a union'],
  ['a branch twice', ['int', 'null', 'int'], 'a union cannot have "int" twice'],
  ['a size that is none', { type: 'fixed', name: 'F', size: -1 }, 'at size: the size of F must be a whole number'],
  ['no type at all', 7, 'a type must be a name, a list or an object; given 7'],
])('refuses %s, and says where', (_what, schema, problem) => {
  expect(problemOf(schema)).toContain(problem)
})

it('refuses what is too deep or too large, without an end of the stack', () => {
  expect(problemOf('', '[[')).toContain('the Avro schema is no JSON')
  expect(problemOf('', '['.repeat(100_000) + ']'.repeat(100_000))).toContain('more than 200 levels deep')
  let deep: unknown = 'int'
  for (let level = 0; level < 300; level++) deep = { type: 'array', items: deep }
  expect(problemOf(deep)).toContain('more than 200 levels deep')
  expect(problemOf({ type: 'enum', name: 'E', symbols: Array.from({ length: 20_001 }, (_, at) => `S${at}`) })).toContain(
    'SCHEMA_TOO_LARGE',
  )
})
