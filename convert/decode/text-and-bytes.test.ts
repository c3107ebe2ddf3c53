import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DecodeSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { DecodeError } from './decode-error.ts'
import { defaultDecodeLimits } from './decode-limits.ts'
import { compileDecoder, type Decoder } from './decoder.ts'

const decoderOf = (format: 'text' | 'bytes', bodyBytesMax = defaultDecodeLimits.bodyBytesMax): Decoder =>
  compileDecoder(create(DecodeSchema, { format: { case: format, value: {} } }), { ...defaultDecodeLimits, bodyBytesMax })

function codeOf(decode: Decoder, value: Buffer): string {
  try {
    decode(value)
    return ''
  } catch (error) {
    if (error instanceof DecodeError) return `${error.code} ${error.offset}`
    throw error
  }
}

it('makes one JSON string of a text, whatever is in it', () => {
  const decode = decoderOf('text')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(JSON.parse(decode(Buffer.from(text)).toString())).toBe(text)
    }),
  )
  expect(decode(Buffer.alloc(0)).toString()).toBe('""')
  expect(decode(Buffer.from('\ufeff12 "inch"\n')).toString()).toBe('"\ufeff12 \\"inch\\"\\n"')
})

it('says where a text is no UTF-8', () => {
  expect(codeOf(decoderOf('text'), Buffer.from([0x61, 0xc3, 0xa9, 0xff]))).toBe('NOT_TEXT 3')
})

it('makes one JSON string in base64 of any bytes', () => {
  const decode = decoderOf('bytes')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text: string = JSON.parse(decode(Buffer.from(bytes)).toString())
      expect(text).toBe(Buffer.from(bytes).toString('base64'))
    }),
  )
  expect(decode(Buffer.alloc(0)).toString()).toBe('""')
})

it('may not make a larger body than the limit', () => {
  expect(codeOf(decoderOf('text', 10), Buffer.from('12345678'))).toBe('')
  expect(codeOf(decoderOf('text', 10), Buffer.from('123456789'))).toBe('BODY_TOO_LARGE undefined')
  // Short enough, until it is escaped.
  expect(codeOf(decoderOf('text', 10), Buffer.from('\n\n\n\n\n'))).toBe('BODY_TOO_LARGE undefined')
  expect(codeOf(decoderOf('bytes', 10), Buffer.alloc(6))).toBe('')
  expect(codeOf(decoderOf('bytes', 10), Buffer.alloc(7))).toBe('BODY_TOO_LARGE undefined')
})
