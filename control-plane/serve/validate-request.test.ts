import { create, type DescField, type DescMessage, fromJson, getOption, hasOption, type JsonValue } from '@bufbuild/protobuf'
import { type FieldRules, field as fieldRules } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import { Code } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { DeliveryService } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { FleetService } from '../../proto/gen/ferry/v1/fleet_service_pb.ts'
import { RetryBatchService } from '../../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import {
  CreateUseCaseRequestSchema,
  UpdateUseCaseRequestSchema,
  UseCaseService,
} from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { WorkerService } from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import { BadRequestSchema } from '../../proto/gen/google/rpc/error_details_pb.ts'
import { ruleWords } from './rule-words.ts'
import { compileRules, findViolations, invalidRequest } from './validate-request.ts'

const services = [UseCaseService, DeliveryService, RetryBatchService, FleetService, WorkerService]
const valid = {
  name: 'namespaces/billing/useCases/invoices',
  spec: { source: { topic: 'invoices' }, decode: { json: {} }, destination: { url: 'https://billing.example.com/hook' } },
}

function problems(useCase: JsonValue): string[] {
  const message = fromJson(CreateUseCaseRequestSchema, { useCase })
  return findViolations(CreateUseCaseRequestSchema, message).map((each) => each.description.replaceAll('use_case.spec.', ''))
}

function reachable(message: DescMessage, seen = new Set<DescMessage>()): Set<DescMessage> {
  if (seen.has(message) || !message.file.proto.package.startsWith('ferry.')) return seen
  seen.add(message)
  for (const field of message.fields) if (field.message) reachable(field.message, seen)
  return seen
}

/** The rules of a field, of its items, of its keys and values. */
function rulesOf(field: DescField): FieldRules[] {
  if (!hasOption(field, fieldRules)) return []
  const rules = getOption(field, fieldRules)
  const { case: kind, value } = rules.type
  const inner = kind === 'repeated' ? [value.items] : kind === 'map' ? [value.keys, value.values] : []
  return [rules, ...inner.filter((each) => each !== undefined)].filter((each) => each.type.case !== undefined)
}

test('every rule that the contract uses can be said in plain words', () => {
  const messages = services.flatMap((service) => service.methods).flatMap((method) => [...reachable(method.input)])
  const fields = [...new Set(messages)].flatMap((message) => message.fields)
  const unsaid = fields.flatMap((field) =>
    rulesOf(field).flatMap((rules) => (ruleWords(rules, field.enum) ? [] : [field.toString()])),
  )
  expect(fields.flatMap(rulesOf).length).toBeGreaterThan(50)
  expect(unsaid).toEqual([])
})

test('every rule of the contract compiles', () => {
  expect(() => compileRules(services)).not.toThrow()
})

test('a valid use case has no violations', () => {
  expect(problems(valid)).toEqual([])
})

test.each<[string, object, string[]]>([
  [
    'a oneof without a choice',
    { decode: {} },
    ['decode must have exactly one of json, protobuf, schema_registry, avro, text, bytes; given none'],
  ],
  [
    'an empty topic',
    { source: { topic: '' } },
    ['source.topic must be made of letters, digits, dots, underscores and dashes only and have 1 to 249 characters; given ""'],
  ],
  [
    'an unknown enum value',
    { delivery: { ordering: 9 } },
    ['delivery.ordering must be one of ORDERING_UNORDERED, ORDERING_KEY, ORDERING_PARTITION; given 9'],
  ],
  [
    'an enum value that is not offered',
    { source: { topic: 'x', position: 0 } },
    ['source.position must be one of START_POSITION_EARLIEST, START_POSITION_LATEST; given START_POSITION_UNSPECIFIED'],
  ],
  [
    'durations',
    { destination: { url: 'http://x', requestTimeout: '0.001s' }, retry: { maximumInterval: '604801s', schedule: ['1s', '0s'] } },
    [
      'destination.request_timeout must be from 0.01s to 600s (10 min); given 0.001s',
      'retry.maximum_interval must be from 0.001s to 604800s (7 d); given 604801s',
      'retry.schedule[1] must be from 0.001s to 604800s (7 d); given 0s',
    ],
  ],
  [
    'numbers',
    { retry: { backoffCoefficient: 'NaN', jitterRatio: 1.5 }, delivery: { parkedMax: '99999999999' } },
    [
      'delivery.parked_max must be from 1 to 10,000,000; given 99,999,999,999',
      'retry.backoff_coefficient must be from 1 to 100; given NaN',
      'retry.jitter_ratio must be from 0 to 1; given 1.5',
    ],
  ],
  [
    'map keys and values',
    { source: { topic: 'x', offsets: { offsets: { '-1': '-5' } } } },
    [
      'the key of source.offsets.offsets[-1] must be 0 or more; given -1',
      'source.offsets.offsets[-1] must be 0 or more; given -5',
    ],
  ],
  ['an empty map', { source: { topic: 'x', offsets: {} } }, ['source.offsets.offsets must have 1 to 10,000 entries; given 0']],
  ['too many items', { retry: { schedule: Array(101).fill('1s') } }, ['retry.schedule must have at most 100 items; given 101']],
  [
    'list items',
    { retry: { successStatus: ['2xx'], retryableStatus: ['!50'] } },
    [
      'retry.success_status[0] must be an HTTP status such as 200 or a range such as 200-299; given "2xx"',
      'retry.retryable_status[0] must be an HTTP status such as 503 or a range such as 500-599, with ! in front to exclude it (such as !501); given "!50"',
    ],
  ],
  [
    'a URL with a password in it',
    { destination: { url: 'billing:hunter2@host hook?token=hunter2' } },
    [
      'destination.url must be an absolute URL such as https://orders.example.com/events and have at most 2,000 characters; given "***@host hook?token=***"',
    ],
  ],
])('says in words what is wrong with %s', (_, spec, expected) => {
  expect(problems({ ...valid, spec: { ...valid.spec, ...spec } } as JsonValue)).toEqual(expected)
})

test('a long value is shortened', () => {
  const [problem] = problems({ ...valid, spec: { ...valid.spec, description: 'x'.repeat(5000) } })
  expect(problem).toBe(`description must have at most 1,000 characters; given "${'x'.repeat(60)}..." (5,000 characters)`)
})

test('with an update mask only what it names is checked, and the name always', () => {
  const update = (paths: string, useCase: JsonValue): string[] => {
    const message = fromJson(UpdateUseCaseRequestSchema, { useCase, updateMask: paths })
    return findViolations(UpdateUseCaseRequestSchema, message).map((each) => each.field)
  }
  const { name } = valid
  expect(update('spec.retry', { name, spec: { retry: { maxRetries: 3 } } })).toEqual([])
  expect(update('spec.retry', { name, spec: { retry: { maxRetries: -3 }, log: { requestBodyBytesMax: -1 } } })).toEqual([
    'use_case.spec.retry.max_retries',
  ])
  expect(update('spec.destination.url', { name, spec: {} })).toEqual(['use_case.spec.destination'])
  expect(update('spec.retry', { name: 'x', spec: { retry: {} } })).toEqual(['use_case.name'])
  expect(update('spec.retry', { name })).toEqual(['use_case.spec'])
  expect(update('', { name, spec: {} })).toContain('use_case.spec.source')
})

test('the message repeats as many violations as fit and the details have them all', () => {
  const message = create(CreateUseCaseRequestSchema, {
    useCase: { name: 'x', spec: { retry: { successStatus: Array(12).fill('a') } } },
  })
  const violations = findViolations(CreateUseCaseRequestSchema, message)
  const error = invalidRequest(violations)
  expect(error.code).toBe(Code.InvalidArgument)
  expect(error.rawMessage).toMatch(/^16 fields are wrong: use_case\.name must .*\.\.\. \(see the error's details\)$/)
  expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toHaveLength(16)
})
