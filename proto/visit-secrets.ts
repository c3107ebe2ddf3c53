import { isReflectList, isReflectMap, isReflectMessage, type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import { type Secret, SecretSchema } from './gen/ferry/v1/credentials_pb.ts'
import { type UseCaseSpec, UseCaseSpecSchema } from './gen/ferry/v1/use_case_pb.ts'

/** Calls back for every secret of a definition, wherever it stands, with its path below the use case: `spec.destination.auth.bearer.token`. */
export function visitSecrets(spec: UseCaseSpec, visit: (secret: Secret, path: string) => void): void {
  visitMessage(reflect(UseCaseSpecSchema, spec), 'spec', visit)
}

function visitMessage(message: ReflectMessage, path: string, visit: (secret: Secret, path: string) => void): void {
  if (message.desc.typeName === SecretSchema.typeName) {
    visit(message.message as Secret, path)
    return
  }
  if (message.desc.typeName.startsWith('google.protobuf.')) return
  for (const field of message.fields) {
    if (!message.isSet(field)) continue
    const value = message.get(field)
    const at = `${path}.${field.name}`
    if (isReflectMessage(value)) visitMessage(value, at, visit)
    else if (isReflectList(value)) {
      for (const [index, item] of [...value].entries()) if (isReflectMessage(item)) visitMessage(item, `${at}[${index}]`, visit)
    } else if (isReflectMap(value)) {
      for (const [key, item] of value) if (isReflectMessage(item)) visitMessage(item, `${at}[${JSON.stringify(key)}]`, visit)
    }
  }
}
