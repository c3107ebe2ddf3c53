import { Code, ConnectError } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { BadRequestSchema, ErrorInfoSchema } from '../proto/gen/google/rpc/error_details_pb.ts'
import { fleetOfFile } from './harness/fleet.ts'

const fleetOf = fleetOfFile({ workers: 0 })

/** Wrong in many ways at once: by the contract's rules, between fields, and against what exists. */
const wrong = {
  name: 'namespaces/Team/useCases/orders',
  spec: {
    source: { topic: 'there-is-no-such-topic', cluster: 'mars' },
    decode: {},
    destination: { url: 'ftp://example.test/x', headers: { 'content-length': '3', 'bad name': 'x' } },
    delivery: { max_in_flight: 0 },
    retry: { max_retries: -1, backoff_coefficient: 0.5, success_status: ['2xx'] },
    log: { request_body_bytes_max: -5 },
  },
}

const expected = [
  /name/,
  /source\.cluster/,
  /decode/,
  /destination\.url/,
  /headers.*content-length/,
  /headers.*bad name/,
  /max_in_flight/,
  /max_retries/,
  /backoff_coefficient/,
  /success_status/,
  /request_body_bytes_max/,
]

interface HttpError {
  readonly code: string
  readonly message: string
  readonly details: readonly { readonly type: string; readonly debug?: unknown; readonly value: string }[]
}

test('every mistake of a definition is told at once, by gRPC', async () => {
  const { useCases } = fleetOf().client
  const { source, destination, delivery, retry, log } = wrong.spec
  const spec = {
    ...{ source, destination },
    delivery: { maxInFlight: delivery.max_in_flight },
    decode: {},
    retry: {
      maxRetries: retry.max_retries,
      backoffCoefficient: retry.backoff_coefficient,
      successStatus: retry.success_status,
    },
    log: { requestBodyBytesMax: log.request_body_bytes_max },
  }
  const error = ConnectError.from(await useCases.createUseCase({ useCase: { name: wrong.name, spec } }).catch((thrown) => thrown))
  expect(error.code).toBe(Code.InvalidArgument)
  const [info] = error.findDetails(ErrorInfoSchema)
  expect(info).toMatchObject({ domain: 'ferry', reason: 'INVALID_REQUEST' })
  const fields = error.findDetails(BadRequestSchema).flatMap((each) => each.fieldViolations)
  for (const field of expected)
    expect(
      fields.some((each) => field.test(each.field)),
      `${field} in ${fieldsOf(fields)}`,
    ).toBe(true)
  for (const each of fields) expect(each.description.length, each.field).toBeGreaterThan(10)
  expect((await useCases.listUseCases({})).useCases).toEqual([])
})

test('the same mistakes are told by HTTP with JSON', async () => {
  const [controlPlane] = fleetOf().controlPlanes
  const answer = await fetch(`${controlPlane!.httpUrl}/ferry.v1.UseCaseService/CreateUseCase`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ use_case: wrong }),
  })
  expect(answer.status).toBe(400)
  const error = (await answer.json()) as HttpError
  expect(error.code).toBe('invalid_argument')
  const details = JSON.stringify(error.details)
  const texts = `${error.message} ${details}`
  for (const field of expected) expect(texts).toMatch(field)
})

test('a topic that does not exist, and a name that is taken by another definition, are refused with words that help', async () => {
  const { useCases } = fleetOf().client
  const name = 'namespaces/team/useCases/orders'
  const spec = {
    source: { topic: 'there-is-no-such-topic' },
    decode: { format: { case: 'json', value: {} } },
    destination: { url: 'http://127.0.0.1:9/' },
  } as const
  const error = ConnectError.from(await useCases.createUseCase({ useCase: { name, spec } }).catch((thrown) => thrown))
  expect(error.code).toBe(Code.InvalidArgument)
  const [violation] = error.findDetails(BadRequestSchema).flatMap((each) => each.fieldViolations)
  expect(violation!.field).toMatch(/source\.topic/)
  expect(violation!.description).toContain('there-is-no-such-topic')
})

test('a check alone creates nothing', async () => {
  const { useCases } = fleetOf().client
  const useCase = { name: 'namespaces/team/useCases/orders', spec: wrong.spec }
  const error = ConnectError.from(
    await useCases
      .createUseCase({ useCase: { name: useCase.name, spec: { source: { topic: 'none' } } }, validateOnly: true })
      .catch((thrown) => thrown),
  )
  expect(error.code).toBe(Code.InvalidArgument)
  expect((await useCases.listUseCases({})).useCases).toEqual([])
})

const fieldsOf = (fields: readonly { readonly field: string }[]): string => fields.map((each) => each.field).join(', ')
