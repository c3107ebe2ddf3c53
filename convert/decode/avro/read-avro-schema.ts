import type { DecodeLimits } from '../decode-limits.ts'
import { SchemaError } from '../schema-error.ts'
import {
  type AvroType,
  branchName,
  type Field,
  type Logical,
  type LogicalName,
  logicalTypes,
  type NamedType,
  type PrimitiveKind,
  type Record,
} from './avro-type.ts'

type Json = { readonly [name: string]: unknown }

const primitives: ReadonlySet<string> = new Set<PrimitiveKind>(
  ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'], // biome-ignore format: one line
)
const depthMax = 200
const fixedSizeMax = 1 << 20
const quotedMax = 80

/**
 * Reads an Avro schema, as far as a reader of its bytes needs it: defaults, aliases and order are left aside. `known` has named types
 * that it may refer to, and gets those that it defines. Throws SchemaError, which says where.
 */
export function readAvroSchema(
  text: string,
  { schemaFieldsMax }: Pick<DecodeLimits, 'schemaFieldsMax'>,
  known: Map<string, NamedType> = new Map(),
): AvroType {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new SchemaError('AVRO_SCHEMA_INVALID', `the Avro schema is no JSON (${quoted((error as Error).message)})`)
  }
  return new Reader(schemaFieldsMax, known).type(json, '', '')
}

class Reader {
  readonly #known: Map<string, NamedType>
  readonly #countMax: number
  #count = 0
  #depth = 0

  constructor(countMax: number, known: Map<string, NamedType>) {
    this.#countMax = countMax
    this.#known = known
  }

  /** path: where the type stands, for errors. namespace: of the names in it that have none. */
  type(json: unknown, path: string, namespace: string): AvroType {
    this.#take(path)
    if (++this.#depth > depthMax) throw wrong(path, `the types lie in each other more than ${depthMax} levels deep`)
    const type = this.#read(json, path, namespace)
    this.#depth--
    return type
  }

  #read(json: unknown, path: string, namespace: string): AvroType {
    if (typeof json === 'string') return this.#named(json, path, namespace)
    if (Array.isArray(json)) return this.#union(json, path, namespace)
    if (!isObject(json)) throw wrong(path, `a type must be a name, a list or an object; given ${quoted(json)}`)
    const { type } = json
    if (typeof type !== 'string') {
      if (type === undefined) throw wrong(path, `a type must have "type"; given ${quoted(json)}`)
      return this.type(type, `${path}.type`, namespace)
    }
    switch (type) {
      case 'record':
      case 'error':
        return this.#record(json, path, namespace)
      case 'enum':
        return this.#enum(json, path, namespace)
      case 'fixed':
        return this.#fixed(json, path, namespace)
      case 'array':
        return { kind: 'array', items: this.type(json['items'], `${path}.items`, namespace) }
      case 'map':
        return { kind: 'map', items: this.type(json['values'], `${path}.values`, namespace) }
      default:
        if (!primitives.has(type)) return this.#named(type, `${path}.type`, namespace)
        return { kind: type as PrimitiveKind, logical: logicalOf(json, type, 0) }
    }
  }

  #take(path: string): void {
    if (++this.#count > this.#countMax)
      throw new SchemaError('SCHEMA_TOO_LARGE', `the Avro schema has more than ${this.#countMax} types and symbols${at(path)}`)
  }

  #named(name: string, path: string, namespace: string): AvroType {
    if (primitives.has(name)) return { kind: name as PrimitiveKind, logical: undefined }
    const full = name.includes('.') || namespace === '' ? name : `${namespace}.${name}`
    const type = this.#known.get(full) ?? this.#known.get(name)
    if (type !== undefined) return type
    const some = [...this.#known.keys()].slice(0, 3)
    throw wrong(path, `there is no type ${quoted(name)}; defined before it: ${some.join(', ') || 'none'}`)
  }

  /** The full name of a type that is defined here, and the namespace of what is in it. */
  #name(json: Json, path: string, outer: string): { name: string; namespace: string } {
    const { name, namespace: given } = json
    if (typeof name !== 'string' || name === '') throw wrong(path, `a ${json['type']} must have a name; given ${quoted(name)}`)
    const dot = name.lastIndexOf('.')
    const namespace = dot >= 0 ? name.slice(0, dot) : typeof given === 'string' ? given : outer
    const full = dot >= 0 || namespace === '' ? name : `${namespace}.${name}`
    if (primitives.has(full)) throw wrong(path, `a type cannot be named ${quoted(full)}`)
    if (this.#known.has(full)) throw wrong(path, `the type ${quoted(full)} is defined twice`)
    return { name: full, namespace }
  }

  #record(json: Json, path: string, outer: string): AvroType {
    const { name, namespace } = this.#name(json, path, outer)
    const fields: Field[] = []
    const record: Record = { kind: 'record', name, fields }
    // Before its fields: they may be of this type.
    this.#known.set(name, record)
    const names = new Set<string>()
    for (const [at, field] of listOf(json['fields'], `${path}.fields`).entries()) {
      const where = `${path}.fields[${at}]`
      const fieldName = isObject(field) ? field['name'] : undefined
      if (!isObject(field) || typeof fieldName !== 'string' || fieldName === '')
        throw wrong(where, `a field must have a name; given ${quoted(field)}`)
      if (names.has(fieldName)) throw wrong(where, `${name} has two fields ${quoted(fieldName)}`)
      names.add(fieldName)
      fields.push({ name: fieldName, type: this.#fieldType(field, where, namespace) })
    }
    return record
  }

  /** Some tools write a logical type beside "type" instead of in it; it has no meaning there. */
  #fieldType(field: Json, where: string, namespace: string): AvroType {
    if (field['type'] === undefined) throw wrong(where, `a field must have "type"; given ${quoted(field)}`)
    return this.type(field['type'], `${where}.type`, namespace)
  }

  #enum(json: Json, path: string, outer: string): AvroType {
    const { name } = this.#name(json, path, outer)
    const symbols = listOf(json['symbols'], `${path}.symbols`).map((symbol, at) => {
      this.#take(path)
      if (typeof symbol === 'string') return symbol
      throw wrong(`${path}.symbols[${at}]`, `a symbol must be a text; given ${quoted(symbol)}`)
    })
    const type: NamedType = { kind: 'enum', name, symbols }
    this.#known.set(name, type)
    return type
  }

  #fixed(json: Json, path: string, outer: string): AvroType {
    const { name } = this.#name(json, path, outer)
    const { size } = json
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > fixedSizeMax)
      throw wrong(`${path}.size`, `the size of ${name} must be a whole number from 0 to ${fixedSizeMax}; given ${quoted(size)}`)
    const type: NamedType = { kind: 'fixed', name, size, logical: logicalOf(json, 'fixed', size) }
    this.#known.set(name, type)
    return type
  }

  #union(json: readonly unknown[], path: string, namespace: string): AvroType {
    const branches = json.map((each, at) => this.type(each, `${path}[${at}]`, namespace))
    const names = new Set<string>()
    for (const branch of branches) {
      const name = branchName(branch)
      if (branch.kind === 'union') throw wrong(path, 'a union cannot be in a union')
      if (names.has(name)) throw wrong(path, `a union cannot have ${quoted(name)} twice`)
      names.add(name)
    }
    return { kind: 'union', branches }
  }
}

/** A logical type that is unknown or does not fit is none, as the specification has it. */
function logicalOf({ logicalType, precision, scale = 0 }: Json, kind: string, size: number): Logical | undefined {
  if (typeof logicalType !== 'string' || !Object.hasOwn(logicalTypes, logicalType)) return undefined
  const name = logicalType as LogicalName
  const kinds: readonly string[] = logicalTypes[name]
  if (!kinds.includes(kind)) return undefined
  if (kind === 'fixed' && ((name === 'uuid' && size !== 16) || (name === 'duration' && size !== 12))) return undefined
  const isWhole = (value: unknown, min: number, max: number): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
  if (name !== 'decimal') return { name, scale: 0 }
  return isWhole(precision, 1, Number.MAX_SAFE_INTEGER) && isWhole(scale, 0, Math.min(precision, 10_000))
    ? { name, scale }
    : undefined
}

function listOf(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw wrong(path, `must be a list; given ${quoted(value)}`)
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

const at = (path: string): string => (path === '' ? '' : ` at ${path.replace(/^\./, '')}`)

const wrong = (path: string, what: string): SchemaError =>
  new SchemaError('AVRO_SCHEMA_INVALID', `the Avro schema is wrong${at(path)}: ${what}`)

function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length <= quotedMax ? text : `${text.slice(0, quotedMax)}...`
}
