import { type DescEnum, type DescField, type DescOneof, getOption } from '@bufbuild/protobuf'
import {
  isReflectList,
  isReflectMap,
  isReflectMessage,
  type Path,
  pathToString,
  type ReflectMessage,
} from '@bufbuild/protobuf/reflect'
import type { Violation } from '@bufbuild/protovalidate'
import { type FieldRules, field as fieldRulesOption } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import type { FieldViolation } from './errors.ts'
import { givenWords } from './given-words.ts'
import { ruleWords } from './rule-words.ts'

/** Says a broken rule in plain words: the field, what would be right, what was given. */
export function describeViolation(root: ReflectMessage, violation: Violation): FieldViolation {
  const reason = violation.ruleId.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')
  const last = violation.field.at(-1)
  if (last?.kind === 'oneof') {
    // A oneof's own name appears nowhere in a request: the message that it is in is what the caller knows.
    const field = pathToString(violation.field.slice(0, -1))
    return { field, reason: 'ONEOF_REQUIRED', description: oneofWords(field, last) }
  }
  const field = pathToString(violation.field)
  if (violation.ruleId === 'required') return { field, reason, description: `${field} must be given` }
  return { field, reason, description: sentence(root, violation, field) }
}

function oneofWords(field: string, oneof: DescOneof): string {
  return `${field || 'the request'} must have exactly one of ${oneof.fields.map((each) => each.name).join(', ')}; given none`
}

function sentence(root: ReflectMessage, violation: Violation, path: string): string {
  const field = violation.field.findLast((part) => part.kind === 'field')
  const rules = field && rulesAt(field, violation)
  const enumeration = field && enumOf(field)
  const words = rules && !isCustom(violation.rule) ? ruleWords(rules, enumeration) : undefined
  const subject = violation.forKey ? `the key of ${path}` : path
  if (words === undefined) return `${subject || 'the request'}: ${violation.message}`
  const given = field?.proto.options?.debugRedact
    ? 'a value that is not shown'
    : givenWords(valueAt(root, violation), enumeration)
  return `${subject} must ${words}; given ${given}`
}

/** Rules that an expression states come with their own message. */
function isCustom(rule: Path): boolean {
  return rule.some((part) => part.kind === 'field' && (part.name === 'cel' || part.name === 'cel_expression'))
}

/** The rules of a field, or of the items of a list, or of the keys or values of a map. */
function rulesAt(field: DescField, violation: Violation): FieldRules | undefined {
  const { type, ...rules } = getOption(field, fieldRulesOption)
  const last = violation.field.at(-1)
  if (last?.kind === 'list_sub') return type.case === 'repeated' ? type.value.items : undefined
  if (last?.kind === 'map_sub') return type.case === 'map' ? (violation.forKey ? type.value.keys : type.value.values) : undefined
  return { ...rules, type }
}

function enumOf(field: DescField): DescEnum | undefined {
  return field.enum
}

function valueAt(root: ReflectMessage, violation: Violation): unknown {
  let value: unknown = root
  for (const part of violation.field) {
    if (part.kind === 'field' && isReflectMessage(value)) value = value.get(part)
    else if (part.kind === 'list_sub' && isReflectList(value)) value = value.get(part.index)
    else if (part.kind === 'map_sub' && isReflectMap(value)) value = violation.forKey ? part.key : value.get(part.key)
    else return undefined
  }
  return value
}
