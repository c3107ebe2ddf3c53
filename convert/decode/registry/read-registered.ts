import type { NamedType } from '../avro/avro-type.ts'
import { readAvroSchema } from '../avro/read-avro-schema.ts'
import { DecodeError } from '../decode-error.ts'
import type { DecodeLimits } from '../decode-limits.ts'
import { SchemaError } from '../schema-error.ts'
import { readFiles } from './read-files.ts'
import type { RegisteredSchema } from './schema-source.ts'

/** A schema as a registry gives it, with what it refers to. */
export interface FetchedSchema {
  /** AVRO where the registry says nothing. */
  readonly schemaType: string
  /** JSON text; of a protobuf schema its FileDescriptorProto in base64, or where the registry has no such thing its text. */
  readonly schema: string
  readonly references: readonly FetchedReference[]
}

export interface FetchedReference {
  /** What the schema calls it: of a protobuf schema the path that it imports. */
  readonly name: string
  /** One object for one subject and version, however often it is referred to. */
  readonly schema: FetchedSchema
}

/** Reads a schema with all that it refers to. Throws DecodeError when it cannot be used: no record by it can be read. */
export function readRegistered(fetched: FetchedSchema, id: number, limits: DecodeLimits): RegisteredSchema {
  try {
    return read(fetched, id, limits)
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    throw new DecodeError('SCHEMA_UNUSABLE', `schema ${id} cannot be used: ${error.message}`)
  }
}

function read(fetched: FetchedSchema, id: number, limits: DecodeLimits): RegisteredSchema {
  switch (fetched.schemaType) {
    case 'AVRO': {
      const known = new Map<string, NamedType>()
      for (const each of inOrder(fetched)) readAvroSchema(each.schema.schema, limits, known)
      return { kind: 'AVRO', type: readAvroSchema(fetched.schema, limits, known) }
    }
    case 'PROTOBUF': {
      const files = inOrder(fetched).map(({ name, schema }) => ({ name, schema: schema.schema }))
      return { kind: 'PROTOBUF', ...readFiles([...files, { name: `schema-${id}.proto`, schema: fetched.schema }], limits) }
    }
    case 'JSON':
      return { kind: 'JSON' }
    default:
      throw new SchemaError(
        'SCHEMA_TYPE_UNKNOWN',
        `it is of type ${JSON.stringify(fetched.schemaType.slice(0, 40))}, and Ferry reads AVRO, PROTOBUF and JSON`,
      )
  }
}

/** All that a schema refers to, each once, behind what it refers to itself. */
function inOrder(root: FetchedSchema): FetchedReference[] {
  const seen = new Set<FetchedSchema>()
  const ordered: FetchedReference[] = []
  const visit = ({ references }: FetchedSchema): void => {
    for (const each of references) {
      if (seen.has(each.schema)) continue
      seen.add(each.schema)
      visit(each.schema)
      ordered.push(each)
    }
  }
  visit(root)
  return ordered
}
