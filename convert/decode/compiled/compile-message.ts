import type { DescEnum, DescExtension, DescField, DescMessage } from '@bufbuild/protobuf'
import type { JsonOptions } from '../json-options.ts'
import { type EnumTexts, enumTexts } from './enum-texts.ts'
import { fieldCode, nameText } from './field-code.ts'
import { addMapKey, beginMap, endMap } from './map-keys.ts'
import { output, outputFull } from './output.ts'
import { scalarCode } from './scalar-code.ts'
import { cursor, entry, readEntry, readFixed64, readTag, readUint32, readVarint64, undoZigzag64, unusual } from './wire.ts'
import { writeBool, writeDouble, writeInt64, writeInteger, writeUint64 } from './write-number.ts'
import { writeAscii, writeBase64, writeRaw, writeText } from './write-text.ts'

/**
 * Writes the message in [from, to) of the input to the output at a position, and returns the position after it.
 * Throws `unusual`, or `outputFull`. `depthLeft` is how many levels of messages may still be there, this one included.
 */
export type MessageWriter = (bytes: Buffer, from: number, to: number, at: number, depthLeft: number) => number

/** Stands for a writer that may not be there yet: message types refer to each other in circles. */
export interface WriterPart {
  write: MessageWriter
}

/** Fields of a message above which their names are not part of the code: the engine does not optimise functions above 60 KB of bytecode. */
const inlinedNamesMax = 100

/** Everything that generated code may call. */
const runtime = {
  ...{ cursor, entry, readEntry, readFixed64, readTag, readUint32, readVarint64, undoZigzag64, unusual },
  ...{ addMapKey, beginMap, endMap, output, outputFull },
  ...{ writeAscii, writeBase64, writeBool, writeDouble, writeInt64, writeInteger, writeRaw, writeText, writeUint64 },
}

/**
 * Moves i over a payload; everything is compared with the end once, when the message has been read to its end. A varint may
 * run over that end, never on and on, since reading beyond the bytes gives undefined.
 */
const skipCode =
  'switch(g&7){case 0:while(b[i++]>127);break;case 1:i+=8;break;case 5:i+=4;break;' +
  'case 2:n=b[i++];if(n>127){n=readUint32(b,i-1);i=cursor.pos}i+=n;break;default:throw unusual}'

const readTagCode = 'g=b[i++];if(g>127){g=readTag(b,i-1);i=cursor.pos}'

/**
 * Compiles the writer of a message type. The function that is generated goes over the message twice: first it notes where
 * each field's payload begins, then it writes the fields in the order of their numbers, whatever order they came in.
 *
 * Its variables:
 * | b, i, from, to | the input, the position in it, the message's part of it |
 * | o, w, p, start, limit | the output as bytes and as a view, the position in it, where the message begins, where it is full |
 * | left | levels of messages that may still be there |
 * | g, last | the tag, the one before |
 * | n, x | what was read, or its length; a float or double |
 * | e, s | where a list's or an entry's payload ends; where a list or a map begins in the output |
 * | f, y, mark | where an entry's value is; where its key begins in the output; the map's mark |
 * | v0, c0, o0, d0, ... | where field 0's payload is; how often it is there; where oneof 0's payload is; what the code refers to |
 */
export function compileMessage(
  desc: DescMessage,
  extensions: readonly DescExtension[],
  partOf: (desc: DescMessage) => WriterPart,
  options: JsonOptions,
): MessageWriter {
  const values: unknown[] = []
  const refer = (value: unknown): string => `d${values.push(value) - 1}`
  const texts = new Map<DescEnum, string>()
  const referEnum = (inner: DescEnum): string => {
    const known = texts.get(inner) ?? refer(enumTexts(inner, options.enumAsInteger) satisfies EnumTexts)
    texts.set(inner, known)
    return known
  }
  const codes = (options.useProtoFieldName ? byNumber(desc.fields) : inJsonOrder(desc.fields)).map((field, index) => {
    const messageWriter = field.message === undefined ? '' : refer(partOf(field.message))
    const nameBytes = desc.fields.length > inlinedNamesMax ? refer(Buffer.from(nameText(field, options))) : undefined
    const parts = { messageWriter, enumTexts: field.enum === undefined ? '' : referEnum(field.enum), nameBytes, options }
    return { number: field.number, ...fieldCode(field, index, parts) }
  })
  const declared = [...desc.oneofs.map((_, index) => `o${index}=0`), ...codes.map((code) => code.declare)].filter(
    (code) => code !== '',
  )
  const cases = [
    ...codes.map((code) => `case ${code.number}:${code.find}break;`),
    ...extensions.map((extension) => `case ${extension.number}:throw unusual;`),
  ]
  return generate(values, [
    'if(left<1)throw unusual;',
    'const o=output.bytes,w=output.view,limit=output.limit,start=p;',
    `let ${['i=from,g=0,last=0,n=0,x=0,e=0,s=0,f=0,y=0,mark=0', ...declared].join()};`,
    `while(i<to){${readTagCode}switch(g>>>3){case 0:throw unusual;${cases.join('')}}last=g;${skipCode}}`,
    'if(i!==to)throw unusual;',
    ...codes.map((code) => code.write),
    // The brace replaces the comma of the first field.
    'if(p===start)p++;o[start]=123;o[p++]=125;return p;',
  ])
}

/** Compiles the writer of a type of google/protobuf/wrappers.proto: its value stands for itself. */
export function compileWrapper(field: DescField & { fieldKind: 'scalar' }): MessageWriter {
  const value = scalarCode[field.scalar]
  const tag = field.number * 8 + value.wireType
  return generate(
    [],
    [
      'const limit=output.limit;let i=from,n=0,x=0;',
      'if(left<1)throw unusual;if(p>limit)throw outputFull;',
      `if(from===to)return writeAscii(${JSON.stringify(value.zeroText)},p);`,
      `if(b[i++]!==${tag})throw unusual;${value.elementBytes === 0 ? '' : `if(i+${value.elementBytes}!==to)throw unusual;`}`,
      `${value.read}${value.wireType === 2 ? 'if(i+n!==to)throw unusual;' : ''}${value.write}if(i!==to)throw unusual;return p;`,
    ],
  )
}

function generate(values: readonly unknown[], lines: readonly string[]): MessageWriter {
  const names = Object.keys(runtime).join()
  const referred = values.map((_, index) => `d${index}`).join()
  const code = `"use strict";const {${names}}=r;const [${referred}]=d;return function(b,from,to,p,left){\n${lines.join('\n')}\n}`
  return new Function('r', 'd', code)(runtime, values) as MessageWriter
}

/** The order in which JSON.stringify prints the properties of an object that is filled by field number: array indices first. */
function inJsonOrder(fields: readonly DescField[]): DescField[] {
  const rank = (field: DescField): number => (isArrayIndex(field.jsonName) ? Number(field.jsonName) - 2 ** 32 : field.number)
  return [...fields].sort((one, other) => rank(one) - rank(other))
}

function byNumber(fields: readonly DescField[]): DescField[] {
  return [...fields].sort((one, other) => one.number - other.number)
}

function isArrayIndex(name: string): boolean {
  return /^(0|[1-9]\d{0,9})$/.test(name) && Number(name) <= 0xfffffffe
}
