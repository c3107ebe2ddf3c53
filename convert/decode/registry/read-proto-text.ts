import { create } from '@bufbuild/protobuf'
import {
  type DescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'
import protobuf from 'protobufjs'
import { SchemaError } from '../schema-error.ts'
import { enumInit, messageInit, type TypeFinder } from './describe-message.ts'

/** Full names, without a point in front, of the types that a file can refer to. */
export type TypeKinds = Map<string, Type.MESSAGE | Type.GROUP | Type.ENUM>

/**
 * Reads a .proto file of syntax proto2 or proto3, as far as its messages need it: services, options and extensions are left aside.
 * `kinds` has the types of its imports, and gets its own. Throws SchemaError.
 */
export function readProtoText(name: string, text: string, kinds: TypeKinds): FileDescriptorProto {
  const bare = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  if (/^\s*edition\s*=/m.test(bare)) throw wrong(name, 'an edition can be read only where the registry has format=serialized')
  const syntax = /^\s*syntax\s*=\s*["'](\w+)["']/m.exec(bare)?.[1] ?? 'proto2'
  const { package: inPackage = '', imports = [], weakImports = [], root } = parse(name, text)
  const top = inPackage === '' ? root : (root.lookup(inPackage) as protobuf.Namespace)
  const own = top.nestedArray.filter((each) => each instanceof protobuf.Type || each instanceof protobuf.Enum)
  for (const each of own) addKinds(each, kinds)
  const find: TypeFinder = (typeName, scope) => findType(typeName, scope, kinds) ?? unknownType(name, typeName, scope)
  return create(FileDescriptorProtoSchema, {
    ...{ name, package: inPackage, syntax, dependency: [...imports, ...weakImports] },
    messageType: own.flatMap((each) => (each instanceof protobuf.Type ? [messageInit(each, fullName(each), find)] : [])),
    enumType: own.flatMap((each) => (each instanceof protobuf.Enum ? [enumInit(each)] : [])),
  })
}

/** Names of what a descriptor defines, for files that import it. */
export function addDescribed({ package: inPackage, messageType, enumType }: FileDescriptorProto, kinds: TypeKinds): void {
  const add = (scope: string, messages: readonly DescriptorProto[], enums: readonly { readonly name: string }[]): void => {
    for (const each of enums) kinds.set(scope + each.name, Type.ENUM)
    for (const each of messages) {
      kinds.set(scope + each.name, Type.MESSAGE)
      add(`${scope}${each.name}.`, each.nestedType, each.enumType)
    }
  }
  add(inPackage === '' ? '' : `${inPackage}.`, messageType, enumType)
}

function parse(name: string, text: string): protobuf.IParserResult {
  try {
    return protobuf.parse(text, new protobuf.Root(), { keepCase: true })
  } catch (error) {
    throw wrong(name, error instanceof Error ? error.message : String(error))
  }
}

const fullName = (object: protobuf.ReflectionObject): string => object.fullName.replace(/^\./, '')

function addKinds(object: protobuf.ReflectionObject, kinds: TypeKinds): void {
  if (object instanceof protobuf.Enum) kinds.set(fullName(object), Type.ENUM)
  if (!(object instanceof protobuf.Type)) return
  kinds.set(fullName(object), (object as { readonly group?: boolean }).group === true ? Type.GROUP : Type.MESSAGE)
  for (const each of object.nestedArray) addKinds(each, kinds)
}

/** From the innermost scope outwards, as protobuf looks for names. */
function findType(typeName: string, scope: string, kinds: TypeKinds): ReturnType<TypeFinder> | undefined {
  if (typeName.startsWith('.')) {
    const kind = kinds.get(typeName.slice(1))
    return kind === undefined ? undefined : { type: kind, typeName }
  }
  for (let at = scope; ; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    const candidate = at === '' ? typeName : `${at}.${typeName}`
    const kind = kinds.get(candidate)
    if (kind !== undefined) return { type: kind, typeName: `.${candidate}` }
    if (at === '') return undefined
  }
}

function unknownType(name: string, typeName: string, scope: string): never {
  throw wrong(name, `${scope} has a field of type ${JSON.stringify(typeName)}, which neither it nor an import has`)
}

const wrong = (name: string, what: string): SchemaError =>
  new SchemaError('DESCRIPTOR_SET_INVALID', `${name} cannot be read: ${what.slice(0, 300)}`)
