import type { DescEnum } from '@bufbuild/protobuf'
import { writeInteger } from './write-number.ts'
import { writeRaw } from './write-text.ts'

/** The JSON texts of an enum's values. */
export interface EnumTexts {
  readonly has: (value: number) => boolean
  /** Writes the value's name, or the number when it has none. */
  readonly write: (value: number, at: number) => number
}

/** Values in front are looked up by index. */
const indexedMax = 256

export function enumTexts(desc: DescEnum, asInteger: boolean): EnumTexts {
  const isNull = desc.typeName === 'google.protobuf.NullValue'
  const texts = new Map<number, Uint8Array>()
  for (const { number } of desc.values) {
    const name = desc.value[number]?.jsonName
    if (name !== undefined) texts.set(number, Buffer.from(JSON.stringify(name)))
  }
  const indexed = Array.from({ length: indexedMax }, (_, value) => texts.get(value))
  const nullText = Buffer.from('null')
  return {
    has: (value) => texts.has(value),
    write: (value, at) => {
      const text = isNull ? nullText : value >= 0 && value < indexedMax ? indexed[value] : texts.get(value)
      return text === undefined || (asInteger && !isNull) ? writeInteger(value, at) : writeRaw(text, at)
    },
  }
}
