import { readFileSync } from 'node:fs'
import { fromJsonString } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { DecodeSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { defaultDecodeLimits } from './decode-limits.ts'
import { compileDecoder } from './decoder.ts'

const page = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `(.+)` \| `(.+)` \| `(.+)` \|$/gm)].map((match) => match.slice(1) as [string, string, string])

it.each(rows)('what docs/formats.md says of %s and %s is true', (decode, value, body) => {
  const decoder = compileDecoder(fromJsonString(DecodeSchema, decode), defaultDecodeLimits)
  expect(decoder(Buffer.from(value.replace('\\u0006', '\u0006'))).toString()).toBe(body)
})

it('finds the rows of docs/formats.md', () => {
  expect(rows).toHaveLength(5)
})
