import { output, outputFull } from '../compiled/output.ts'
import { cursor, unusual } from '../compiled/wire.ts'
import { writeDouble, writeInt64, writeInt64Digits, writeInteger } from '../compiled/write-number.ts'
import { writeAscii, writeBase64, writeRaw, writeText } from '../compiled/write-text.ts'
import { AvroFault, type AvroWriter, longNumber, readInt, readLength, readLong, takeBytes } from './avro-input.ts'
import type { AvroOptions } from './avro-options.ts'
import { type AvroType, branchName, type Enum, type PrimitiveKind, type Record, type Union } from './avro-type.ts'
import { logicalWriter } from './write-logical.ts'

const comma = 44
const closeObject = 125
const closeArray = 93

/** Stands for a writer that may not be there yet: types refer to each other in circles. */
interface Part {
  write: AvroWriter
}

/** Compiles the writer of a type: it reads Avro's binary encoding and writes JSON in the same go. It throws AvroFault and outputFull. */
export function compileAvro(root: AvroType, options: AvroOptions): AvroWriter {
  const parts = new Map<AvroType, Part>()
  const partOf = (type: AvroType): Part => {
    const known = parts.get(type)
    if (known !== undefined) return known
    const part: Part = { write: writeNull }
    parts.set(type, part)
    part.write = compile(type, partOf, options)
    return part
  }
  return partOf(root).write
}

function compile(type: AvroType, partOf: (type: AvroType) => Part, options: AvroOptions): AvroWriter {
  switch (type.kind) {
    case 'record':
      return recordWriter(type, partOf)
    case 'enum':
      return enumWriter(type)
    case 'array':
      return arrayWriter(partOf(type.items))
    case 'map':
      return mapWriter(partOf(type.items))
    case 'union':
      return unionWriter(type, partOf, options.wrapUnions)
    default: {
      const { logical } = type
      const byMeaning = logical === undefined || options.plainLogicalTypes ? undefined : logicalWriter(type, logical)
      if (byMeaning !== undefined) return byMeaning
      if (type.kind === 'fixed') return fixedWriter(type.size)
      return type.kind === 'long' && options.longAsNumber ? writeLongNumber : primitiveWriters[type.kind]
    }
  }
}

const writeNull: AvroWriter = (_bytes, at) => writeAscii('null', at)

const primitiveWriters: Readonly<{ [kind in PrimitiveKind]: AvroWriter }> = {
  null: writeNull,
  boolean: (bytes, at) => {
    const from = takeBytes(bytes, 1)
    const byte = bytes[from]!
    if (byte > 1) throw new AvroFault(`${byte} is no boolean`, from)
    return writeAscii(byte === 1 ? 'true' : 'false', at)
  },
  int: (bytes, at) => writeInteger(readInt(bytes), at),
  long: (bytes, at) => {
    readLong(bytes)
    return writeInt64(at)
  },
  float: (bytes, at) => writeDouble(bytes.readFloatLE(takeBytes(bytes, 4)), at),
  double: (bytes, at) => writeDouble(bytes.readDoubleLE(takeBytes(bytes, 8)), at),
  bytes: (bytes, at) => {
    const length = readLength(bytes)
    const from = takeBytes(bytes, length)
    return writeBase64(bytes, from, from + length, at)
  },
  string: writeString,
}

function writeLongNumber(bytes: Buffer, at: number): number {
  readLong(bytes)
  return writeInt64Digits(at)
}

function writeString(bytes: Buffer, at: number): number {
  const length = readLength(bytes)
  const from = takeBytes(bytes, length)
  try {
    return writeText(bytes, from, from + length, at)
  } catch (error) {
    throw error === unusual ? new AvroFault('no UTF-8', from) : error
  }
}

function fixedWriter(size: number): AvroWriter {
  return (bytes, at) => {
    const from = takeBytes(bytes, size)
    return writeBase64(bytes, from, from + size, at)
  }
}

function recordWriter({ name, fields }: Record, partOf: (type: AvroType) => Part): AvroWriter {
  // The first name has the opening bracket in front.
  const names = fields.map((field, at) => Buffer.from(`${at === 0 ? '{' : ','}${JSON.stringify(field.name)}:`))
  const parts = fields.map((field) => partOf(field.type))
  return (bytes, at, left) => {
    if (left === 0) throw tooDeep()
    if (fields.length === 0) return writeAscii('{}', at)
    let pos = at
    let field = 0
    try {
      for (; field < parts.length; field++) {
        pos = writeRaw(names[field]!, pos)
        pos = parts[field]!.write(bytes, pos, left - 1)
      }
    } catch (error) {
      if (error instanceof AvroFault) error.path.unshift(fields[field]?.name ?? name)
      throw error
    }
    output.bytes[pos] = closeObject
    return pos + 1
  }
}

function enumWriter({ name, symbols }: Enum): AvroWriter {
  const texts = symbols.map((symbol) => Buffer.from(JSON.stringify(symbol)))
  return (bytes, at) => {
    const from = cursor.pos
    const index = readInt(bytes)
    const text = texts[index]
    if (text === undefined) throw new AvroFault(`${name} has no symbol ${index}`, from)
    return writeRaw(text, at)
  }
}

/** Items to come in a block; 0 at the end. */
function readCount(bytes: Buffer): number {
  readLong(bytes)
  const count = longNumber()
  if (count >= 0) return count
  // The block's bytes follow, for those who want to skip it.
  readLong(bytes)
  return -count
}

function arrayWriter(items: Part): AvroWriter {
  return (bytes, at, left) => {
    if (left === 0) throw tooDeep()
    const out = output.bytes
    let pos = writeAscii('[', at)
    for (let count = readCount(bytes); count > 0; count = readCount(bytes)) {
      for (; count > 0; count--) {
        // Items may have no bytes at all: what bounds them is the output.
        if (pos > output.limit) throw outputFull
        if (pos > at + 1) out[pos++] = comma
        pos = items.write(bytes, pos, left - 1)
      }
    }
    out[pos] = closeArray
    return pos + 1
  }
}

function mapWriter(values: Part): AvroWriter {
  return (bytes, at, left) => {
    if (left === 0) throw tooDeep()
    const out = output.bytes
    const keys = new Set<string>()
    let pos = writeAscii('{', at)
    for (let count = readCount(bytes); count > 0; count = readCount(bytes)) {
      for (; count > 0; count--) {
        if (pos > output.limit) throw outputFull
        if (pos > at + 1) out[pos++] = comma
        const [from, start] = [cursor.pos, pos]
        pos = writeString(bytes, pos)
        const key = out.toString('latin1', start, pos)
        if (keys.has(key)) throw new AvroFault('a key of a map comes twice', from)
        keys.add(key)
        pos = values.write(bytes, writeAscii(':', pos), left - 1)
      }
    }
    out[pos] = closeObject
    return pos + 1
  }
}

function unionWriter({ branches }: Union, partOf: (type: AvroType) => Part, wraps: boolean): AvroWriter {
  const parts = branches.map((branch) => partOf(branch))
  const names = branches.map((branch) =>
    wraps && branch.kind !== 'null' ? Buffer.from(`{${JSON.stringify(branchName(branch))}:`) : undefined,
  )
  return (bytes, at, left) => {
    const from = cursor.pos
    const index = readInt(bytes)
    const part = parts[index]
    if (part === undefined) throw new AvroFault(`the union has no branch ${index}`, from)
    const name = names[index]
    if (name === undefined) return part.write(bytes, at, left)
    if (left === 0) throw tooDeep()
    const end = part.write(bytes, writeRaw(name, at), left - 1)
    output.bytes[end] = closeObject
    return end + 1
  }
}

const tooDeep = (): AvroFault => new AvroFault('too many levels', cursor.pos, 'NESTED_TOO_DEEP')
