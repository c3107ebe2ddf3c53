import { create, createFileRegistry, type DescService, fromBinary, getOption } from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { field as fieldRules } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import { Code, createClient } from '@connectrpc/connect'
import { createWritableIterable } from '@connectrpc/connect/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ServerReflection, type ServerReflectionResponse } from '../../proto/gen/grpc/reflection/v1/reflection_pb.ts'
import { describeReflectionV1Alpha } from './reflection.ts'
import { startTestServer, type TestServer } from './start-test-server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

type Question = { case: 'listServices' | 'fileContainingSymbol' | 'fileByFilename' | 'allExtensionNumbersOfType'; value: string }

async function ask(service: DescService, ...questions: Question[]): Promise<ServerReflectionResponse['messageResponse'][]> {
  const client = createClient(service as typeof ServerReflection, server.grpc)
  const answers: ServerReflectionResponse['messageResponse'][] = []
  async function* requests() {
    for (const messageRequest of questions) yield { host: 'here', messageRequest }
  }
  for await (const response of client.serverReflectionInfo(requests(), { timeoutMs: 2000 }))
    answers.push(response.messageResponse)
  return answers
}

function dependenciesFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>()
  const add = (file: FileDescriptorProto): void => {
    for (const name of file.dependency) add(files.find((each) => each.name === name)!)
    ordered.add(file)
  }
  files.forEach(add)
  return [...ordered]
}

describe.each([
  ['v1', ServerReflection],
  ['v1alpha', describeReflectionV1Alpha()],
])('reflection %s', (_, service) => {
  test('lists every service, itself and health too', async () => {
    const [answer] = await ask(service, { case: 'listServices', value: '*' })
    const listed = answer?.case === 'listServicesResponse' ? answer.value.service.map((each) => each.name) : []
    expect(listed).toEqual([
      'ferry.v1.DeliveryService',
      'ferry.v1.UseCaseService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ])
  })

  test('a client without proto files learns a service whole, the rules of its fields included', async () => {
    const [answer] = await ask(service, { case: 'fileContainingSymbol', value: 'ferry.v1.UseCaseService' })
    if (answer?.case !== 'fileDescriptorResponse') throw new Error(`answered ${answer?.case}`)
    const files = answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
    const [first] = files
    expect(first?.name).toBe('ferry/v1/use_case_service.proto')
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: dependenciesFirst(files) }))
    expect(registry.getService('ferry.v1.UseCaseService')?.methods.map((method) => method.name)).toContain('PauseUseCase')
    const maxInFlight = registry.getMessage('ferry.v1.DeliveryPolicy')?.fields.find((field) => field.name === 'max_in_flight')
    expect(getOption(maxInFlight!, fieldRules).type.value).toMatchObject({ lessThan: { value: 4096 } })
  })

  test('one stream answers many questions in their order, also the wrong ones', async () => {
    const answers = await ask(
      service,
      { case: 'fileContainingSymbol', value: 'ferry.v1.UseCaseService.GetUseCase' },
      { case: 'fileContainingSymbol', value: 'ferry.v1.Nothing' },
      { case: 'fileByFilename', value: 'google/rpc/error_details.proto' },
      { case: 'allExtensionNumbersOfType', value: 'google.protobuf.FieldOptions' },
    )
    expect(answers.map((answer) => answer.case)).toEqual([
      'fileDescriptorResponse',
      'errorResponse',
      'fileDescriptorResponse',
      'allExtensionNumbersResponse',
    ])
    expect(answers[1]?.value).toMatchObject({ errorCode: Code.NotFound, errorMessage: 'ferry.v1.Nothing is not known here' })
    expect(answers[3]?.value).toMatchObject({ extensionNumber: expect.arrayContaining([1159]) })
  })
})

test('a client that answers before it asks again is served as it goes', async () => {
  const client = createClient(ServerReflection, server.grpc)
  const requests = createWritableIterable<{ messageRequest: Question }>()
  const responses = client.serverReflectionInfo(requests, { timeoutMs: 2000 })[Symbol.asyncIterator]()
  for (const value of ['ferry.v1.UseCase', 'ferry.v1.Attempt']) {
    void requests.write({ messageRequest: { case: 'fileContainingSymbol', value } })
    expect((await responses.next()).value.originalRequest.messageRequest.value).toBe(value)
  }
  requests.close()
  expect((await responses.next()).done).toBe(true)
})
