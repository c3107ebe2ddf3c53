import {
  clone,
  createFileRegistry,
  createRegistry,
  type DescFile,
  type DescService,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { Code, type ServiceImpl } from '@connectrpc/connect'
import {
  file_grpc_reflection_v1_reflection,
  type ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from '../../proto/gen/grpc/reflection/v1/reflection_pb.ts'

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>['messageResponse']>

/**
 * Answers gRPC server reflection from the generated descriptors: exact bytes, custom options included.
 * `details` are files that no service imports but errors carry, so that clients can show them.
 */
export function createReflection(
  services: readonly DescService[],
  details: readonly DescFile[],
): ServiceImpl<typeof ServerReflection> {
  const files = [...new Set([...services.map((service) => service.file), ...details].flatMap(withDependencies))]
  const registry = createRegistry(...files)
  const names = services.map((service) => ({ name: service.typeName })).sort((a, b) => (a.name < b.name ? -1 : 1))

  /** A method, field or enum value is asked for by the name of its parent and its own. */
  const fileOf = (symbol: string): DescFile | undefined =>
    registry.get(symbol)?.file ?? registry.get(symbol.slice(0, Math.max(0, symbol.lastIndexOf('.'))))?.file

  const answer = ({ messageRequest: request }: ServerReflectionRequest): Answer => {
    switch (request.case) {
      case 'listServices':
        return { case: 'listServicesResponse', value: { service: names } }
      case 'fileByFilename':
        return fileAnswer(
          files.find((file) => file.proto.name === request.value),
          request.value,
        )
      case 'fileContainingSymbol':
        return fileAnswer(fileOf(request.value), request.value)
      case 'fileContainingExtension': {
        const { containingType, extensionNumber } = request.value
        const type = registry.getMessage(containingType)
        return fileAnswer(
          type && registry.getExtensionFor(type, extensionNumber)?.file,
          `extension ${extensionNumber} of ${containingType}`,
        )
      }
      case 'allExtensionNumbersOfType': {
        const baseTypeName = request.value
        if (!registry.getMessage(baseTypeName)) return errorAnswer(Code.NotFound, `${baseTypeName} is not known here`)
        const extensions = [...registry].filter((desc) => desc.kind === 'extension' && desc.extendee.typeName === baseTypeName)
        const extensionNumber = extensions.flatMap((desc) => (desc.kind === 'extension' ? [desc.number] : []))
        return { case: 'allExtensionNumbersResponse', value: { baseTypeName, extensionNumber } }
      }
      default:
        return errorAnswer(Code.InvalidArgument, 'the reflection request asks nothing that is known here')
    }
  }
  return {
    async *serverReflectionInfo(requests) {
      for await (const request of requests)
        yield { validHost: request.host, originalRequest: request, messageResponse: answer(request) }
    },
  }
}

function fileAnswer(file: DescFile | undefined, asked: string): Answer {
  if (!file) return errorAnswer(Code.NotFound, `${asked} is not known here`)
  const fileDescriptorProto = withDependencies(file).map((each) => toBinary(FileDescriptorProtoSchema, each.proto))
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } }
}

function errorAnswer(errorCode: Code, errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode, errorMessage } }
}

function withDependencies(file: DescFile): DescFile[] {
  return [...new Set([file, ...file.dependencies.flatMap(withDependencies)])]
}

/**
 * The same service under its older name, which many clients still ask for first or only: v1 is v1alpha renamed, message by
 * message, so its descriptor is made from v1's.
 */
export function describeReflectionV1Alpha(): DescService {
  const renamed = clone(FileDescriptorProtoSchema, file_grpc_reflection_v1_reflection.proto)
  renamed.name = 'grpc/reflection/v1alpha/reflection.proto'
  renamed.package = 'grpc.reflection.v1alpha'
  const rename = (typeName: string): string => typeName.replace('.grpc.reflection.v1.', '.grpc.reflection.v1alpha.')
  for (const field of renamed.messageType.flatMap((message) => message.field)) field.typeName = rename(field.typeName)
  for (const method of renamed.service.flatMap((service) => service.method)) {
    method.inputType = rename(method.inputType)
    method.outputType = rename(method.outputType)
  }
  const service = createFileRegistry(renamed, () => undefined).getService('grpc.reflection.v1alpha.ServerReflection')
  if (!service) throw new Error('the generated reflection descriptor has no ServerReflection service')
  return service
}
