import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type DescField, type DescMessage, fromJson, type JsonObject, type JsonValue, ScalarType } from '@bufbuild/protobuf'
import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type Pair } from 'yaml'
import { closest } from './closest.ts'
import type { Mistake } from './mistake.ts'

export interface ReaderContext {
  readonly file: string
  readonly dir: string
  readonly document: Document.Parsed
  readonly lines: LineCounter
  readonly env: Readonly<Record<string, string | undefined>>
  readonly mistakes: Mistake[]
  /** Line of each field that was read, by path: to place what the server says. */
  readonly lineOf: Map<string, number>
}

type Checked = { readonly ok: true; readonly value: JsonValue } | { readonly ok: false; readonly message: string }

/** Reads YAML as one message, field by field, and notes every mistake with its line instead of stopping at the first. */
export class MessageReader {
  readonly #context: ReaderContext

  constructor(context: ReaderContext) {
    this.#context = context
  }

  /** What fromJson takes; only what could be read. */
  readMessage(desc: DescMessage, node: Node | null | undefined, path: string): JsonObject {
    const resolved = this.resolve(node)
    const value: JsonObject = {}
    if (!isMap(resolved)) {
      const isNothing = resolved === undefined || resolved === null || (isScalar(resolved) && resolved.value === null)
      const fields = desc.fields.length === 0 ? '{}' : `fields: ${someNames(desc)}`
      this.mistake(resolved ?? node, path, isNothing ? `has no value: it takes ${fields}` : `must have ${fields}`)
      return value
    }
    const oneofs = new Map<string, string>()
    for (const pair of resolved.items as Pair<Node, Node | null>[]) this.#readPair(desc, pair, path, value, oneofs)
    return value
  }

  resolve(node: Node | null | undefined): Node | null | undefined {
    return isAlias(node) ? node.resolve(this.#context.document) : node
  }

  lineAt(node: Node | null | undefined): number {
    const offset = node?.range?.[0]
    return offset === undefined ? 1 : this.#context.lines.linePos(offset).line
  }

  mistake(node: Node | null | undefined, field: string, message: string): void {
    const known = this.#context.lineOf.get(field)
    this.#context.mistakes.push({ file: this.#context.file, line: known ?? this.lineAt(node), field, message })
  }

  #readPair(
    desc: DescMessage,
    pair: Pair<Node, Node | null>,
    path: string,
    value: JsonObject,
    oneofs: Map<string, string>,
  ): void {
    const key = isScalar(pair.key) ? String(pair.key.value) : ''
    const at = path === '' ? key : `${path}.${key}`
    this.#context.lineOf.set(at, this.lineAt(pair.key))
    const field = desc.fields.find((each) => each.name === key || each.jsonName === key)
    if (field === undefined) {
      const near = closest(
        key,
        desc.fields.map(({ name }) => name),
      )
      const right = near === undefined ? `there are ${someNames(desc)}` : `did you mean ${near}?`
      this.mistake(pair.key, at, `there is no such field; ${right}`)
      return
    }
    const named = path === '' ? field.name : `${path}.${field.name}`
    this.#context.lineOf.set(named, this.lineAt(pair.key))
    const rival = field.oneof && oneofs.get(field.oneof.name)
    if (rival !== undefined) {
      const names = field.oneof!.fields.map(({ name }) => name).join(', ')
      this.mistake(pair.key, named, `only one of ${names} can be given, and there is ${rival}`)
      return
    }
    if (field.oneof !== undefined) oneofs.set(field.oneof.name, field.name)
    const read = this.#readField(field, pair.value, named)
    if (read !== undefined) value[field.name] = read
  }

  #readField(field: DescField, node: Node | null, path: string): JsonValue | undefined {
    if (field.fieldKind === 'list') return this.#readList(field, node, path)
    if (field.fieldKind === 'map') return this.#readMap(field, node, path)
    return this.#readOne(field, field.message, node, path, (value) => value)
  }

  #readList(field: DescField & { fieldKind: 'list' }, node: Node | null, path: string): JsonValue | undefined {
    const resolved = this.resolve(node)
    if (!isSeq(resolved)) return this.#refuse(resolved ?? node, path, 'must be a list')
    return resolved.items.flatMap((item, index) => {
      const at = `${path}[${index}]`
      this.#context.lineOf.set(at, this.lineAt(item as Node))
      const read = this.#readOne(field, field.message, item as Node, at, (value) => [value])
      return read === undefined ? [] : [read]
    })
  }

  #readMap(field: DescField & { fieldKind: 'map' }, node: Node | null, path: string): JsonValue | undefined {
    const resolved = this.resolve(node)
    if (!isMap(resolved)) return this.#refuse(resolved ?? node, path, 'must be names with their values')
    const entries: JsonObject = {}
    for (const pair of resolved.items as Pair<Node, Node | null>[]) {
      const key = isScalar(pair.key) ? String(pair.key.value) : ''
      const at = `${path}[${field.mapKey === ScalarType.STRING ? JSON.stringify(key) : key}]`
      this.#context.lineOf.set(at, this.lineAt(pair.key))
      const read = this.#readOne(field, field.message, pair.value, at, (value) => ({ [key]: value }))
      if (read !== undefined) entries[key] = read
    }
    return entries
  }

  /** A message, or one value that fromJson checks inside of `wrap`. */
  #readOne(
    field: DescField,
    message: DescMessage | undefined,
    node: Node | null,
    path: string,
    wrap: (value: JsonValue) => JsonValue,
  ): JsonValue | undefined {
    if (message !== undefined && !message.typeName.startsWith('google.protobuf.')) return this.readMessage(message, node, path)
    const resolved = this.resolve(node)
    const given = this.#valueOf(field, resolved, path)
    if (given === undefined) return undefined
    const checked = check(field, given, wrap)
    return checked.ok ? checked.value : this.#refuse(resolved ?? node, path, checked.message)
  }

  #valueOf(field: DescField, node: Node | null | undefined, path: string): JsonValue | undefined {
    if (isMap(node)) return this.#fetch(field, node.toJSON() as JsonObject, node, path)
    if (!isScalar(node) || node.value === null)
      return this.#refuse(node, path, node == null || isScalar(node) ? 'has no value' : `must be ${kindOf(field)}`)
    const { value } = node
    // Numbers keep all their digits; 64-bit fields take them as text.
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
    return value as JsonValue
  }

  /** `{file: PATH}` and `{env: NAME}` in place of a text or bytes. */
  #fetch(field: DescField, { file, env, ...rest }: JsonObject, node: Node, path: string): JsonValue | undefined {
    const isText = field.scalar === ScalarType.STRING
    if (
      (!isText && field.scalar !== ScalarType.BYTES) ||
      Object.keys(rest).length > 0 ||
      (file === undefined) === (env === undefined)
    )
      return this.#refuse(
        node,
        path,
        `must be ${kindOf(field)}${isText || field.scalar === ScalarType.BYTES ? ', or {file: PATH}, or {env: NAME}' : ''}`,
      )
    if (env !== undefined) {
      const value = this.#context.env[String(env)]
      return value === undefined || value === '' ? this.#refuse(node, path, `the environment has no ${env}`) : value
    }
    try {
      const bytes = readFileSync(resolve(this.#context.dir, String(file)))
      return isText ? bytes.toString('utf8').replace(/\r?\n$/, '') : bytes.toString('base64')
    } catch (error) {
      return this.#refuse(node, path, `cannot read ${file}: ${(error as Error).message}`)
    }
  }

  #refuse(node: Node | null | undefined, path: string, message: string): undefined {
    this.mistake(node, path, message)
    return undefined
  }
}

function check(field: DescField, given: JsonValue, wrap: (value: JsonValue) => JsonValue): Checked {
  try {
    fromJson(field.parent, { [field.name]: wrap(given) })
    return { ok: true, value: given }
  } catch {
    return { ok: false, message: `must be ${kindOf(field)}, not ${JSON.stringify(given)}` }
  }
}

const someNames = (desc: DescMessage): string => desc.fields.map(({ name }) => name).join(', ')

function kindOf(field: DescField): string {
  if (field.message?.typeName === 'google.protobuf.Duration') return 'a duration in seconds, as "30s" or "0.5s"'
  if (field.message?.typeName === 'google.protobuf.Timestamp') return 'a time as "2026-01-31T12:00:00Z"'
  if (field.enum !== undefined)
    return `one of ${field.enum.values
      .filter(({ number }) => number !== 0)
      .map(({ name }) => name)
      .join(', ')}`
  switch (field.scalar) {
    case ScalarType.STRING:
      return 'text'
    case ScalarType.BYTES:
      return 'bytes in base64'
    case ScalarType.BOOL:
      return 'true or false'
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return 'a number'
    default:
      return 'a whole number'
  }
}
