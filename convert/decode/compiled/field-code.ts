import { type DescField, ScalarType } from '@bufbuild/protobuf'
import type { JsonOptions } from '../json-options.ts'
import { type ScalarCode, scalarCode } from './scalar-code.ts'

/**
 * Code for one field of a message, in terms of the generated function's variables (see compile-message.ts).
 * Names and numbers of the schema get into it as numbers only.
 */
export interface FieldCode {
  /** Variables of the field's own. */
  readonly declare: string
  /** Takes note of where the payload begins, when the tag is the field's. */
  readonly find: string
  /** Writes the field to the output, if it is there. */
  readonly write: string
}

/** What a field's code refers to outside of itself, as expressions. */
export interface FieldParts {
  readonly messageWriter: string
  readonly enumTexts: string
  /** What stands before the field's value, as bytes; undefined to have it in the code, which is faster and longer. */
  readonly nameBytes: string | undefined
  readonly options: JsonOptions
}

const delimited = 2
const explicitlyRequired = 3
const implicit = 2

/** Code for the field at the index. */
export function fieldCode(field: DescField, index: number, parts: FieldParts): FieldCode {
  if ('delimitedEncoding' in field && field.delimitedEncoding === true) {
    return {
      declare: '',
      find: 'throw unusual;',
      write: field.presence === explicitlyRequired ? 'throw unusual;' : writeEmpty(field, parts),
    }
  }
  const value = valueCode(field, parts)
  if (field.fieldKind === 'list') return listCode(field, index, value, parts)
  if (field.fieldKind === 'map') return mapCode(field, index, value, parts)
  return singularCode(field, index, value, parts)
}

/** Code for a value of the field: of its elements for a list, of its values for a map. */
function valueCode(field: DescField, parts: FieldParts): ScalarCode {
  if (field.scalar !== undefined) return scalarCode[field.scalar]
  if (field.enum !== undefined) {
    const write = `p=${parts.enumTexts}.write(n,p);`
    return { ...scalarCode[ScalarType.INT32], isZero: `n===${field.enum.values[0]?.number}`, write }
  }
  const write = `p=${parts.messageWriter}.write(b,i,i+n,p,left-1);i+=n;`
  return { ...scalarCode[ScalarType.BYTES], write }
}

function singularCode(field: DescField, index: number, value: ScalarCode, parts: FieldParts): FieldCode {
  const v = `v${index}`
  const group = field.oneof === undefined ? v : `o${field.parent.oneofs.indexOf(field.oneof)}`
  const note = group === v ? `${v}=i;` : `${group}=${v}=i;`
  const orMissing = field.presence === explicitlyRequired ? 'else throw unusual;' : ''
  const conditions = []
  if (field.fieldKind === 'enum' && !field.enum.open) conditions.push(`${parts.enumTexts}.has(n)`)
  if (field.presence === implicit && !parts.options.alwaysEmitImplicit) conditions.push(`!(${value.isZero})`)
  const write = `${writeName(field, parts)}${value.write}`
  const writePresent = conditions.length === 0 ? write : `if(${conditions.join('&&')}){${write}}${orMissing}`
  return {
    declare: `${v}=0`,
    find: `if(g!==${tag(field, value.wireType)}||${group}!==0)throw unusual;${note}`,
    write: `if(${v}!==0){i=${v};${value.read}${writePresent}}${orMissing || orElse(writeEmpty(field, parts, value))}`,
  }
}

/** Elements are taken only as serializers write them: all packed in one piece, or one after the other. */
function listCode(field: DescField, index: number, value: ScalarCode, parts: FieldParts): FieldCode {
  const [v, c] = [`v${index}`, `c${index}`]
  const findOneByOne = findRepeated(field, index, value.wireType)
  const writeOneByOne = writeRun(field, index, parts, list, `${value.read}${value.write}`)
  const declare = `${v}=0,${c}=0`
  if (value.wireType === delimited)
    return { declare, find: findOneByOne, write: `if(${v}!==0){${writeOneByOne}}${orElse(writeEmpty(field, parts))}` }
  const isWhole = value.elementBytes === 0 ? '' : `if(n%${value.elementBytes}!==0)throw unusual;`
  const writeElements = `while(i<e){if(p>limit)throw outputFull;o[p++]=44;${value.read}${value.write}}`
  const writePacked =
    `i=${v};${scalarCode[ScalarType.BYTES].read}${isWhole}e=i+n;` +
    `if(n!==0){${writeName(field, parts)}s=p;${writeElements}if(i!==e)throw unusual;o[s]=91;o[p++]=93}${orElse(writeEmpty(field, parts))}`
  return {
    declare,
    find: `if(g===${tag(field, delimited)}){if(${v}!==0)throw unusual;${v}=i}else{${findOneByOne}}`,
    write: `if(${v}!==0){if(${c}===0){${writePacked}}else{${writeOneByOne}}}${orElse(writeEmpty(field, parts))}`,
  }
}

/** Notes the first of a run of payloads, and counts them. */
function findRepeated(field: DescField, index: number, wireType: number): string {
  const [v, c] = [`v${index}`, `c${index}`]
  return `if(g!==${tag(field, wireType)})throw unusual;if(${v}===0)${v}=i;else if(last!==g)throw unusual;${c}++;`
}

/** What stands around a run of payloads: brackets, and code before the closing one. */
interface Run {
  readonly open: number
  readonly close: number
  readonly end: string
}
const list: Run = { open: 91, close: 93, end: '' }
const map: Run = { open: 123, close: 125, end: 'endMap(mark,p);' }

/** Writes a run of payloads. Every element begins with a comma; the opening bracket replaces the first one. */
function writeRun(field: DescField, index: number, parts: FieldParts, { open, close, end }: Run, writeElement: string): string {
  const next = `if(--c${index}===0)break;i+=${varintBytes(field.number * 8)};`
  const loop = `for(;;){if(p>limit)throw outputFull;o[p++]=44;${writeElement}${next}}`
  return `i=v${index};${writeName(field, parts)}s=p;${loop}${end}o[s]=${open};o[p++]=${close};`
}

function mapCode(field: DescField & { fieldKind: 'map' }, index: number, value: ScalarCode, parts: FieldParts): FieldCode {
  const key = scalarCode[field.mapKey]
  const isQuoted = key.zeroText.startsWith('"')
  const quoteKey = isQuoted ? '' : 'o[p++]=34;'
  const zeroKey = `p=writeAscii(${JSON.stringify(key.zeroText)},p);`
  const writeElement =
    `${scalarCode[ScalarType.BYTES].read}e=i+n;readEntry(b,i,e,${8 | key.wireType},${16 | value.wireType});f=entry.value;` +
    `y=p;${quoteKey}if((i=entry.key)===0){${zeroKey}}else{${key.read}${key.write}}${quoteKey}` +
    `addMapKey(mark,y,p);o[p++]=58;` +
    `if(f===0){${writeZero(field, value, parts)}}else{i=f;${value.read}${value.write}}i=e;`
  return {
    declare: `v${index}=0,c${index}=0`,
    find: findRepeated(field, index, delimited),
    write: `if(v${index}!==0){mark=beginMap();${writeRun(field, index, parts, map, writeElement)}}${orElse(writeEmpty(field, parts))}`,
  }
}

/** Writes a field without presence that is not there, where those are to be printed. */
function writeEmpty(field: DescField, parts: FieldParts, value?: ScalarCode): string {
  if (!parts.options.alwaysEmitImplicit || field.presence !== implicit) return ''
  const name = writeName(field, parts)
  if (field.fieldKind === 'list') return `${name}p=writeAscii('[]',p);`
  if (field.fieldKind === 'map') return `${name}p=writeAscii('{}',p);`
  return `${name}${writeZero(field, value!, parts)}`
}

const orElse = (write: string): string => (write === '' ? '' : `else{${write}}`)

/** Writes the value of a map entry that has none. */
function writeZero(field: DescField, value: ScalarCode, parts: FieldParts): string {
  if (field.message !== undefined) return `p=${parts.messageWriter}.write(b,0,0,p,left-1);`
  if (field.enum !== undefined) return `p=${parts.enumTexts}.write(${field.enum.values[0]?.number},p);`
  return `p=writeAscii(${JSON.stringify(value.zeroText)},p);`
}

/** Writes a comma, the field's JSON name and a colon, four bytes at a time; what is written too much is written over. */
function writeName(field: DescField, parts: FieldParts): string {
  if (parts.nameBytes !== undefined) return `p=writeRaw(${parts.nameBytes},p);`
  const name = Buffer.from(nameText(field, parts.options))
  const padded = Buffer.concat([name, Buffer.alloc(3)])
  let code = 'if(p>limit)throw outputFull;'
  for (let at = 0; at < name.length; at += 4) code += `w.setUint32(p+${at},${padded.readUInt32LE(at)},true);`
  return `${code}p+=${name.length};`
}

/** What stands before a field's value. */
export function nameText(field: DescField, { useProtoFieldName }: JsonOptions): string {
  return `,${JSON.stringify(useProtoFieldName ? field.name : field.jsonName)}:`
}

function tag(field: DescField, wireType: number): number {
  return field.number * 8 + wireType
}

function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5
}
