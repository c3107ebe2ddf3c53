import { type DescMessage, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf'
import { usageError } from '../cli-error.ts'

export type OutputFormat = 'table' | 'json' | 'yaml'

export function parseFormat(text: string | undefined): OutputFormat {
  if (text === undefined || text === 'table') return 'table'
  if (text === 'json' || text === 'yaml') return text
  throw usageError(`-o ${text}: there is no such format`, 'there are table, json and yaml')
}

/** ProtoJSON with the contract's own names, so that it can be given back to `apply`. Zeros are there unless `sparse`. */
export function jsonOf<Desc extends DescMessage>(desc: Desc, message: MessageShape<Desc>, sparse = false): JsonValue {
  return toJson(desc, message, { useProtoFieldName: true, alwaysEmitImplicit: !sparse })
}

/** Of a list, JSON is an array, and YAML one document an item. */
export async function formatted(value: JsonValue, format: 'json' | 'yaml'): Promise<string> {
  if (format === 'json') return `${JSON.stringify(value, undefined, 2)}\n`
  return yamlOf(value)
}

export async function yamlOf(value: JsonValue): Promise<string> {
  const { stringify } = await import('yaml')
  if (!Array.isArray(value)) return stringify(value, { lineWidth: 0 })
  return value.map((each) => `---\n${stringify(each, { lineWidth: 0 })}`).join('')
}
