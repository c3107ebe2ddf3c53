import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DecodeError } from './decode-error.ts'
import { jsonDecoder } from './json.ts'

const depthMax = 1000
const decode = jsonDecoder({ jsonDepthMax: depthMax, bodyBytesMax: 3_000_000 })
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What JSON.parse says, of the same bytes. */
function isJson(value: Buffer): boolean {
  try {
    JSON.parse(strictUtf8.decode(value))
    return true
  } catch {
    return false
  }
}

/** The bytes with neighbours around them, as records lie in a fetched batch. */
function within(value: Uint8Array, around: string): Buffer {
  const neighbours = Buffer.from(around)
  return Buffer.concat([neighbours, value, neighbours]).subarray(neighbours.length, neighbours.length + value.length)
}

function outcome(value: Buffer): boolean {
  try {
    expect(decode(value)).toBe(value)
    return true
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    expect(error.offset).toBeGreaterThanOrEqual(0)
    expect(error.offset).toBeLessThanOrEqual(value.length)
    return false
  }
}

function errorOf(value: string | Buffer): { code: string; offset: number | undefined; message: string } {
  try {
    decode(Buffer.from(value))
  } catch (error) {
    if (error instanceof DecodeError) return { code: error.code, offset: error.offset, message: error.message }
    throw error
  }
  throw new Error('did not throw')
}

const text = fc.string({ unit: 'binary', maxLength: 40 })
const jsonText = fc
  .tuple(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), fc.constantFrom(0, 1, '\t', ' \r\n'))
  .map(([value, space]) => JSON.stringify(value, null, space))
const token = fc.constantFrom(
  ...['{', '}', '[', ']', ',', ':', '"', '"a"', '"\\u00e9"', '"\\ud800"', '"\\n"', '"\\x"', '0', '-0', '1.5', '01', '1e9', '-'],
  ...['2E+7', '.5', '1.', 'true', 'false', 'null', 'nul', 'NaN', ' ', '\n', '\ufeff', '\u00a0', '\u2028', '\u0000', '\\', '/'],
)
const edit = fc.record({ at: fc.nat(), remove: fc.nat(2), insert: fc.uint8Array({ maxLength: 2 }) })

describe('the json decoder', () => {
  it('returns the very same bytes of every JSON text', () => {
    fc.assert(
      fc.property(jsonText, (json) => {
        expect(outcome(within(Buffer.from(json), '"'))).toBe(true)
      }),
    )
  })

  it('agrees with JSON.parse on JSON that was damaged anywhere', () => {
    const damaged = fc.tuple(jsonText, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([json, edits]) => {
      let bytes = Buffer.from(json)
      for (const { at, remove, insert } of edits) {
        const from = at % (bytes.length + 1)
        bytes = Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)])
      }
      return bytes
    })
    fc.assert(
      fc.property(damaged, fc.constantFrom('}', ']', '"', '0', ' '), (bytes, around) => {
        const value = within(bytes, around)
        expect(outcome(value)).toBe(isJson(value))
      }),
      { numRuns: 3000 },
    )
  })

  it('agrees with JSON.parse on any sequence of tokens', () => {
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        const value = within(Buffer.from(tokens.join('')), ']')
        expect(outcome(value)).toBe(isJson(value))
      }),
      { numRuns: 5000 },
    )
  })

  it('agrees with JSON.parse on strings of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        const value = within(Buffer.concat([Buffer.from('"'), bytes, Buffer.from('"')]), '"')
        expect(outcome(value)).toBe(isJson(value))
      }),
      { numRuns: 3000 },
    )
  })

  it('agrees with JSON.parse on anything that looks like a number', () => {
    const numberish = fc.string({ unit: fc.constantFrom(...'0123456789-+.eE'), maxLength: 10 })
    fc.assert(
      fc.property(numberish, (number) => {
        const value = within(Buffer.from(number), '1')
        expect(outcome(value)).toBe(isJson(value))
      }),
      { numRuns: 5000 },
    )
  })

  it('agrees with JSON.parse on every string that JSON.stringify escapes', () => {
    fc.assert(
      fc.property(text, (string) => {
        expect(outcome(Buffer.from(JSON.stringify({ [string]: string })))).toBe(true)
      }),
    )
  })

  it('accepts as many levels as the limit, and refuses one more', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      expect(outcome(Buffer.from(`${open.repeat(depthMax)}1${close.repeat(depthMax)}`))).toBe(true)
      const deeper = errorOf(`${open.repeat(depthMax + 1)}1${close.repeat(depthMax + 1)}`)
      expect(deeper).toMatchObject({ code: 'NESTED_TOO_DEEP', offset: open.length * depthMax })
    }
    expect(outcome(Buffer.from(`[${'[[]],'.repeat(5000)}[]]`))).toBe(true)
    expect(errorOf('['.repeat(1_000_000)).code).toBe('NESTED_TOO_DEEP')
  })

  it('refuses a value above the limit of a body', () => {
    const small = jsonDecoder({ jsonDepthMax: depthMax, bodyBytesMax: 4 })
    expect(small(Buffer.from('[1] '))).toHaveLength(4)
    expect(() => small(Buffer.from('[1]  '))).toThrow('the value has 5 bytes, at most 4 are allowed')
  })

  it('leaves it to the receiver what a repeated name and a lone surrogate mean', () => {
    expect(outcome(Buffer.from('{"a":1,"a":2}'))).toBe(true)
    expect(outcome(Buffer.from('"\\ud800"'))).toBe(true)
  })

  it.each([
    ['', 0, 'expected a value at byte 0, found the end of the value'],
    ['\ufeff{}', 0, 'expected a value at byte 0, found byte 0xef'],
    ['{"a":1}}', 7, "expected the end at byte 7, found '}'"],
    ['{"a" 1}', 5, "expected ':' at byte 5, found '1'"],
    ['{"a":1,}', 7, "expected a name in '\"' at byte 7, found '}'"],
    ['[1,]', 3, "expected a value at byte 3, found ']'"],
    ['[1 2]', 3, "expected ',' or ']' at byte 3, found '2'"],
    ['{"a":[1}', 7, "expected ',' or ']' at byte 7, found '}'"],
    ['"a\nb"', 2, 'expected the end of the string at byte 2, found byte 0x0a'],
    ['"\\u12g4"', 5, "expected a hexadecimal digit at byte 5, found 'g'"],
    ['"\\a"', 2, "expected an escape at byte 2, found 'a'"],
    ['-', 1, 'expected a digit at byte 1, found the end of the value'],
    ['tru', 0, "expected a value at byte 0, found 't'"],
  ])('says where %j is wrong', (json, offset, message) => {
    expect(errorOf(json)).toEqual({ code: 'NOT_JSON', offset, message })
  })

  it('says where the UTF-8 is wrong', () => {
    expect(errorOf(Buffer.from([0x22, 0xc3, 0xa9, 0xed, 0xa0, 0x80, 0x22]))).toEqual({
      code: 'NOT_JSON',
      offset: 3,
      message: 'no UTF-8 at byte 3: byte 0xed',
    })
  })
})
