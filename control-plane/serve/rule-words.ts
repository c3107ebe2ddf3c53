import type { DescEnum, Message } from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'
import type { Duration } from '@bufbuild/protobuf/wkt'
import {
  BytesRulesSchema,
  DoubleRulesSchema,
  DurationRulesSchema,
  EnumRulesSchema,
  type FieldRules,
  Int32RulesSchema,
  Int64RulesSchema,
  MapRulesSchema,
  RepeatedRulesSchema,
  StringRulesSchema,
} from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import { durationText, numberText } from './given-words.ts'
import { patternWords } from './pattern-words.ts'

type Bound = { readonly case: string | undefined; readonly value?: unknown }
type Kind = NonNullable<FieldRules['type']['case']>

/** The rules that have words. One that is not here has none, and protovalidate's own message is used for its field. */
const worded: Partial<Record<Kind, { schema: Parameters<typeof reflect>[0]; names: readonly string[] }>> = {
  string: { schema: StringRulesSchema, names: ['pattern', 'min_len', 'max_len', 'uri'] },
  bytes: { schema: BytesRulesSchema, names: ['min_len', 'max_len'] },
  int32: { schema: Int32RulesSchema, names: ['gt', 'gte', 'lt', 'lte'] },
  int64: { schema: Int64RulesSchema, names: ['gt', 'gte', 'lt', 'lte'] },
  double: { schema: DoubleRulesSchema, names: ['gt', 'gte', 'lt', 'lte', 'finite'] },
  duration: { schema: DurationRulesSchema, names: ['gt', 'gte', 'lt', 'lte'] },
  enum: { schema: EnumRulesSchema, names: ['defined_only', 'not_in'] },
  repeated: { schema: RepeatedRulesSchema, names: ['min_items', 'max_items', 'items'] },
  map: { schema: MapRulesSchema, names: ['min_pairs', 'max_pairs', 'keys', 'values'] },
}

/**
 * What satisfies all rules of a field, as the end of "must ...". Undefined when there is a rule without words.
 * All rules together, not only the one that was broken: a caller who mends one mistake should not make the next.
 */
export function ruleWords(rules: FieldRules, enumeration: DescEnum | undefined): string | undefined {
  const { type } = rules
  if (type.case === undefined || !isWorded(type.case, type.value)) return undefined
  switch (type.case) {
    case 'string': {
      const { pattern, uri } = { pattern: type.value.pattern, uri: type.value.wellKnown.case === 'uri' }
      if (pattern !== '' && !patternWords.has(pattern)) return undefined
      const length = count(type.value.minLen, type.value.maxLen, 'character')
      return all(
        patternWords.get(pattern),
        uri ? 'be an absolute URL such as https://orders.example.com/events' : undefined,
        length,
      )
    }
    case 'bytes':
      return count(type.value.minLen, type.value.maxLen, 'byte')
    case 'int32':
    case 'int64':
    case 'double':
      return between(type.value.greaterThan, type.value.lessThan, (value) => numberText(value as number | bigint))
    case 'duration':
      return between(type.value.greaterThan, type.value.lessThan, (value) => durationText(value as Duration))
    case 'enum':
      return enumeration && enumWords(enumeration, type.value.notIn)
    case 'repeated':
      return count(type.value.minItems, type.value.maxItems, 'item')
    case 'map':
      return count(type.value.minPairs, type.value.maxPairs, 'entry', 'entries')
    default:
      return undefined
  }
}

function isWorded(kind: Kind, rules: Message): boolean {
  const words = worded[kind]
  if (words === undefined) return false
  const message = reflect(words.schema, rules)
  return message.fields.every((field) => !message.isSet(field) || words.names.includes(field.name))
}

function all(...parts: (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(' and ')
}

/** A bound that is not set is 0 here: protobuf-es gives unset numbers of these rules their zero. */
function count(min: bigint, max: bigint, one: string, many = `${one}s`): string {
  if (min > 0n && max > 0n) return `have ${numberText(min)} to ${numberText(max)} ${many}`
  if (max > 0n) return `have at most ${numberText(max)} ${max === 1n ? one : many}`
  return min > 0n ? `have at least ${numberText(min)} ${min === 1n ? one : many}` : ''
}

function between(lower: Bound, upper: Bound, text: (value: unknown) => string): string {
  if (lower.case === 'gte' && upper.case === 'lte') return `be from ${text(lower.value)} to ${text(upper.value)}`
  const from =
    lower.case === 'gte' ? `be ${text(lower.value)} or more` : lower.case === 'gt' ? `be above ${text(lower.value)}` : ''
  const to = upper.case === 'lte' ? `be at most ${text(upper.value)}` : upper.case === 'lt' ? `be below ${text(upper.value)}` : ''
  return all(from, to)
}

/** The zero value means "not set"; nobody writes it, so it is not offered. */
function enumWords(enumeration: DescEnum, notIn: readonly number[]): string {
  const names = enumeration.values
    .filter((value) => value.number !== 0 && !notIn.includes(value.number))
    .map((value) => value.name)
  return `be one of ${names.join(', ')}`
}
