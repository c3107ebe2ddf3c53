import { readFileSync } from 'node:fs'
import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { ProtobufDecodeSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { compileProtoJson } from './compiled/compile-proto-json.ts'
import { DecodeError } from './decode-error.ts'
import { defaultDecodeLimits } from './decode-limits.ts'
import { generalDecoder } from './general.ts'
import { canonicalJson } from './json-options.ts'
import { loadSchema } from './load-schema.ts'

// Protobuf's own conformance suite, 33.2: all of its questions of protobuf to JSON, with the answers that its runner took
// (testdata/conformance/testee.ts). null: the value has to be refused. There are no exceptions.

const file = (name: string): Buffer => readFileSync(new URL(`testdata/conformance/${name}`, import.meta.url))
const descriptorSet = file('messages.binpb')
const cases = file('cases.jsonl')
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as [message: string, payload: string, json: string | null])

/** null for a refusal. */
function jsonOf(decode: (value: Buffer) => Buffer | undefined, value: Buffer): string | null | undefined {
  try {
    return decode(value)?.toString()
  } catch (error) {
    if (error instanceof DecodeError) return null
    throw error
  }
}

test.each([...new Set(cases.map(([message]) => message))])('%s: both decoders pass the conformance suite', (message) => {
  const schema = loadSchema(create(ProtobufDecodeSchema, { descriptorSet, message }), defaultDecodeLimits)
  const general = generalDecoder(schema, defaultDecodeLimits, canonicalJson)
  const compiled = compileProtoJson(schema, defaultDecodeLimits)!
  let byCompiled = 0
  for (const [, payload, json] of cases.filter(([each]) => each === message)) {
    const value = Buffer.from(payload, 'base64')
    expect(jsonOf(general, value), payload).toBe(json)
    const left = jsonOf(compiled, value)
    // What it leaves to the general one is no answer.
    if (left === undefined) continue
    byCompiled++
    expect(left, payload).toBe(json)
  }
  expect(byCompiled).toBeGreaterThan(0)
})

test('the suite is there as a whole', () => {
  expect(cases).toHaveLength(1252)
})
