/** A type of an Avro schema, names resolved: types may refer to each other in circles. */
export type AvroType = Primitive | Fixed | Record | Enum | Collection | Union
export type NamedType = Fixed | Record | Enum

export type PrimitiveKind = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'

export interface Primitive {
  readonly kind: PrimitiveKind
  readonly logical: Logical | undefined
}

export interface Fixed {
  readonly kind: 'fixed'
  readonly name: string
  readonly size: number
  readonly logical: Logical | undefined
}

export interface Record {
  readonly kind: 'record'
  readonly name: string
  readonly fields: readonly Field[]
}

export interface Field {
  readonly name: string
  readonly type: AvroType
}

export interface Enum {
  readonly kind: 'enum'
  readonly name: string
  readonly symbols: readonly string[]
}

export interface Collection {
  readonly kind: 'array' | 'map'
  readonly items: AvroType
}

export interface Union {
  readonly kind: 'union'
  readonly branches: readonly AvroType[]
}

/** What the bytes mean beyond their type. */
export interface Logical {
  readonly name: LogicalName
  /** Of a decimal: digits behind the point. */
  readonly scale: number
}

export type LogicalName = keyof typeof logicalTypes

/** Which types each logical type may stand on. */
export const logicalTypes = {
  decimal: ['bytes', 'fixed'],
  uuid: ['string', 'fixed'],
  date: ['int'],
  'time-millis': ['int'],
  'time-micros': ['long'],
  'timestamp-millis': ['long'],
  'timestamp-micros': ['long'],
  'timestamp-nanos': ['long'],
  'local-timestamp-millis': ['long'],
  'local-timestamp-micros': ['long'],
  'local-timestamp-nanos': ['long'],
  duration: ['fixed'],
} as const

/** The name by which a union tells its branches apart. */
export const branchName = (type: AvroType): string => ('name' in type ? type.name : type.kind)
