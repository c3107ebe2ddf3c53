import { clone, createFileRegistry, type DescFile, type DescService, getExtension, setExtension } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, MethodOptionsSchema } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { access, Role, Scope } from '../../proto/gen/ferry/v1/access_pb.ts'
import { RetryBatchService } from '../../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { readAccessRules } from './access-rule.ts'
import { allServices } from './all-services.ts'

/** The service with another option on its first method. */
function withAccess(service: DescService, change: (option: { role: Role; scope: Scope; field: string }) => void): DescService {
  const file = clone(FileDescriptorProtoSchema, service.file.proto)
  const [method] = file.service[0]!.method
  const option = getExtension(method!.options!, access)
  change(option)
  setExtension(method!.options!, access, option)
  return rebuilt(service, file)
}

function rebuilt(service: DescService, file: DescFile['proto']): DescService {
  const known = new Map<string, DescFile>()
  const collect = (each: DescFile): void => {
    known.set(each.name.endsWith('.proto') ? each.name : `${each.name}.proto`, each)
    for (const dependency of each.dependencies) collect(dependency)
  }
  for (const dependency of service.file.dependencies) collect(dependency)
  return createFileRegistry(file, (name) => known.get(name)).getService(service.typeName)!
}

test('every method of the contract says who may call it', async () => {
  const services = await allServices()
  expect(services.length).toBeGreaterThanOrEqual(5)
  const rules = readAccessRules(services)
  expect(rules.size).toBe(services.flatMap((service) => service.methods).length)
})

test('workers may do what workers do, and nobody else may', async () => {
  const rules = readAccessRules(await allServices())
  for (const [method, { role }] of rules)
    expect([method.name, role === Role.WORKER]).toEqual([method.name, method.parent.name === 'WorkerService'])
})

test('a method that says nothing, or points nowhere, is named and keeps the server from starting', () => {
  const file = clone(FileDescriptorProtoSchema, RetryBatchService.file.proto)
  file.service[0]!.method[0]!.options = clone(MethodOptionsSchema, { ...file.service[0]!.method[0]!.options!, $unknown: [] })
  expect(() => readAccessRules([rebuilt(RetryBatchService, file)])).toThrow(
    'ferry.v1.RetryBatchService/PlanRetryBatch: must have option (ferry.v1.access) with a role and a scope',
  )
  const cases: [string, Scope, string][] = [
    ['', Scope.NAMED, 'field must be the path of a string'],
    ['nothing', Scope.NAMED, 'given "nothing"'],
    ['retry_batch', Scope.LISTED, 'given "retry_batch"'],
    ['retry_batch.max_items', Scope.NAMED, 'given "retry_batch.max_items"'],
    ['retry_batch.use_case.more', Scope.NAMED, 'given "retry_batch.use_case.more"'],
    ['retry_batch.use_case', Scope.WHOLE, 'SCOPE_WHOLE has no field'],
    ['', Scope.UNSPECIFIED, 'must have option'],
  ]
  for (const [field, scope, message] of cases) {
    const service = withAccess(RetryBatchService, (option) => Object.assign(option, { field, scope }))
    expect(() => readAccessRules([service]), field).toThrow(message)
  }
})
