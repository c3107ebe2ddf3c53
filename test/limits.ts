import { readFile, writeFile } from 'node:fs/promises'
import { type DescField, type DescMessage, type DescService, getOption, ScalarType } from '@bufbuild/protobuf'
import { durationMs } from '@bufbuild/protobuf/wkt'
import { type FieldRules, field as fieldRules } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import { controlPlaneSettings } from '../control-plane/config.ts'
import { headerNameLengthMax, headerValueLengthMax } from '../control-plane/use-cases/check-headers.ts'
import { maskPathsMax } from '../control-plane/use-cases/update-mask.ts'
import { DeliveryService } from '../proto/gen/ferry/v1/delivery_service_pb.ts'
import { FleetService } from '../proto/gen/ferry/v1/fleet_service_pb.ts'
import { ReplayService } from '../proto/gen/ferry/v1/replay_service_pb.ts'
import { RetryBatchService } from '../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { TokenService } from '../proto/gen/ferry/v1/token_service_pb.ts'
import { UseCaseService } from '../proto/gen/ferry/v1/use_case_service_pb.ts'
import { VerificationService } from '../proto/gen/ferry/v1/verification_service_pb.ts'
import { WorkerService } from '../proto/gen/ferry/v1/worker_service_pb.ts'
import { describeConfig } from '../runtime/config.ts'
import { workerSettings } from '../worker/config.ts'

const path = new URL('../docs/limits.md', import.meta.url)
const services: readonly DescService[] = [
  ...[
    UseCaseService,
    DeliveryService,
    RetryBatchService,
    ReplayService,
    VerificationService,
    FleetService,
    TokenService,
    WorkerService,
  ],
]

/** What the contract's rules cannot say, or code says better. */
const byCode: Readonly<Record<string, string>> = {
  'ferry.v1.Destination.headers': `at most 32 entries; names of at most ${headerNameLengthMax}, values of at most ${headerValueLengthMax} characters`,
  'ferry.v1.UpdateUseCaseRequest.update_mask': `at most ${maskPathsMax} paths`,
}

export interface FieldLimit {
  readonly message: string
  readonly field: string
  /** Undefined: it has none. */
  readonly limit: string | undefined
}

/** Every field that a request can hold, in the contract's order. */
export function fieldLimits(): FieldLimit[] {
  const seen = new Set<string>()
  const limits: FieldLimit[] = []
  const visit = (message: DescMessage): void => {
    if (seen.has(message.typeName) || message.typeName.startsWith('google.protobuf.')) return
    seen.add(message.typeName)
    for (const field of message.fields) {
      limits.push({ message: message.typeName, field: field.name, limit: limitOf(message, field) })
    }
    for (const field of message.fields) {
      if (field.message !== undefined) visit(field.message)
    }
  }
  for (const method of services.flatMap((service) => service.methods)) visit(method.input)
  return limits
}

function limitOf(message: DescMessage, field: DescField): string | undefined {
  const special = byCode[`${message.typeName}.${field.name}`]
  if (special !== undefined) return special
  const rules = getOption(field, fieldRules)
  if (field.fieldKind === 'list') return listLimit(field, rules)
  if (field.fieldKind === 'map') return mapLimit(field, rules)
  return valueLimit(field, field.fieldKind === 'scalar' ? field.scalar : undefined, rules)
}

function listLimit(field: DescField & { fieldKind: 'list' }, rules: FieldRules): string | undefined {
  const list = rules.type.case === 'repeated' ? rules.type.value : undefined
  const item = valueLimit(field, field.scalar, list?.items)
  return list === undefined || list.maxItems === 0n || item === undefined
    ? undefined
    : `at most ${number(list.maxItems)}; each ${item}`
}

function mapLimit(field: DescField & { fieldKind: 'map' }, rules: FieldRules): string | undefined {
  const map = rules.type.case === 'map' ? rules.type.value : undefined
  const key = valueLimit(undefined, field.mapKey, map?.keys)
  const value = valueLimit(field, field.scalar, map?.values)
  if (map === undefined || map.maxPairs === 0n || key === undefined || value === undefined) return undefined
  return `at most ${number(map.maxPairs)} entries; keys ${key}; values ${value}`
}

function valueLimit(
  field: DescField | undefined,
  scalar: ScalarType | undefined,
  rules: FieldRules | undefined,
): string | undefined {
  const type = rules?.type
  switch (scalar) {
    case ScalarType.STRING:
      return type?.case === 'string' ? stringLimit(type.value) : undefined
    case ScalarType.BYTES:
      return type?.case === 'bytes' && type.value.maxLen > 0n ? `at most ${number(type.value.maxLen)} bytes` : undefined
    case ScalarType.BOOL:
      return 'true or false'
    case undefined:
      break
    default:
      return numberLimit(scalar, type)
  }
  if (field?.enum !== undefined) return 'a name of the list'
  if (field?.message?.typeName !== 'google.protobuf.Duration')
    return field?.message?.typeName === 'google.protobuf.Timestamp' ? 'a time' : 'as below'
  if (type?.case !== 'duration' || type.value.lessThan.case !== 'lte') return undefined
  return `at most ${seconds(durationMs(type.value.lessThan.value))}`
}

type Rules = Extract<FieldRules['type'], { case: 'string' }>['value']

/** A pattern bounds what it repeats a bounded number of times. */
function stringLimit({ maxLen, pattern }: Rules): string | undefined {
  if (maxLen > 0n) return `at most ${number(maxLen)} characters`
  return pattern !== '' && /^\^.*\$$/.test(pattern) && !/[*+]|,\}/.test(pattern.replaceAll(/\[[^\]]*\]/g, ''))
    ? `\`${pattern}\``
    : undefined
}

function numberLimit(scalar: ScalarType, type: FieldRules['type'] | undefined): string {
  const bits = scalar === ScalarType.INT32 ? '32' : scalar === ScalarType.INT64 || scalar === ScalarType.UINT64 ? '64' : ''
  const rules = type?.case === 'int32' || type?.case === 'int64' || type?.case === 'double' ? type.value : undefined
  const above = rules?.greaterThan.case === 'gte' ? rules.greaterThan.value : undefined
  const below = rules?.lessThan.case === 'lte' ? rules.lessThan.value : undefined
  if (above !== undefined && below !== undefined) return `${number(above)} to ${number(below)}`
  return `a number of ${bits} bits${above === undefined ? '' : `, at least ${number(above)}`}`
}

const number = (value: bigint | number): string => value.toLocaleString('en-US')
const seconds = (ms: number): string => (ms % 86_400_000 === 0 ? `${number(ms / 86_400_000)} d` : `${number(ms / 1000)} s`)

const settingsOf = <S extends Record<string, { readonly env: string }>>(schema: S, names: RegExp) =>
  Object.fromEntries(Object.entries(schema).filter(([, { env }]) => names.test(env))) as never

/** docs/limits.md as it should be: made of the contract and of the processes' own schemas. */
export function withLimits(page: string): string {
  const rows = fieldLimits().map(
    ({ message, field, limit }) =>
      `| \`${message.replace('ferry.v1.', '')}\` | \`${field}\` | ${(limit ?? 'NONE').replaceAll('|', '\\|')} |`,
  )
  const tables = {
    contract: ['| message | field | limit |', '|---|---|---|', ...rows].join('\n'),
    'control-plane': describeConfig(settingsOf(controlPlaneSettings, /_MAX$/)),
    worker: describeConfig(settingsOf(workerSettings, /_MAX$|_BYTES$|RECORDS$/)),
  }
  return Object.entries(tables).reduce(
    (text, [name, table]) =>
      text.replace(
        new RegExp(`(<!-- limits: ${name} -->\n)[^]*?(<!-- end -->)`),
        (_, start, end) => `${start}\n${table}\n\n${end}`,
      ),
    page,
  )
}

export const readLimits = (): Promise<string> => readFile(path, 'utf8')

// `node test/limits.ts` writes it.
if (process.argv[1] === import.meta.filename) await writeFile(path, withLimits(await readLimits()))
