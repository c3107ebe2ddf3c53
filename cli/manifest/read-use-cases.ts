import { fromJson } from '@bufbuild/protobuf'
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml'
import { type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { CliError } from '../cli-error.ts'
import { useCaseName } from '../names.ts'
import { MessageReader } from './message-reader.ts'
import type { Mistake } from './mistake.ts'
import type { SourceFile } from './read-files.ts'

/** One use case as a file has it. */
export interface Manifest {
  readonly file: string
  readonly line: number
  /** Name and spec; what is output only is left out. */
  readonly useCase: UseCase
  /** Line of each of its fields, by path. */
  readonly lineOf: ReadonlyMap<string, number>
  /** It has mistakes: what could be read of it is here. */
  readonly isBroken: boolean
}

export interface ReadOptions {
  readonly namespace: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** A file that has only a spec, or no name: `test` and `preview` give it one. */
  readonly defaultName?: string
}

/** Each document is a use case (`name` and `spec`), or a list of them. Every mistake of every file is noted. */
export function readUseCases(files: readonly SourceFile[], options: ReadOptions): { manifests: Manifest[]; mistakes: Mistake[] } {
  const mistakes: Mistake[] = []
  const manifests = files.flatMap((file) => readFile(file, options, mistakes))
  const seen = new Map<string, Manifest>()
  for (const manifest of manifests) {
    const { file, line, useCase } = manifest
    const first = seen.get(useCase.name)
    if (first !== undefined && useCase.name !== '')
      mistakes.push({ file, line, field: 'name', message: `${useCase.name} is also in ${first.file}:${first.line}` })
    seen.set(useCase.name, manifest)
  }
  return { manifests, mistakes }
}

function readFile(file: SourceFile, options: ReadOptions, mistakes: Mistake[]): Manifest[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(file.text, { lineCounter: lines, intAsBigInt: true, prettyErrors: false, merge: true })
  if (!Array.isArray(documents)) return []
  return documents.flatMap((document) => {
    for (const { message, pos } of document.errors)
      mistakes.push({ file: file.name, line: lines.linePos(pos[0]).line, field: '', message })
    return document.errors.length > 0 ? [] : readDocument(file, document as Document.Parsed, lines, options, mistakes)
  })
}

function readDocument(
  file: SourceFile,
  document: Document.Parsed,
  lines: LineCounter,
  options: ReadOptions,
  mistakes: Mistake[],
): Manifest[] {
  const { contents } = document
  if (contents === null || (isScalar(contents) && contents.value === null)) return []
  const items = isSeq(contents) ? (contents.items as Node[]) : [contents]
  return items.map((item) => {
    const before = mistakes.length
    const lineOf = new Map<string, number>()
    const reader = new MessageReader({ file: file.name, dir: file.dir, document, lines, env: options.env, mistakes, lineOf })
    const line = reader.lineAt(item)
    const useCase = readUseCase(reader, item, options)
    return { file: file.name, line, useCase, lineOf, isBroken: mistakes.length > before }
  })
}

function readUseCase(reader: MessageReader, node: Node, { namespace, defaultName }: ReadOptions): UseCase {
  const resolved = reader.resolve(node)
  const json = reader.readMessage(UseCaseSchema, resolved, '')
  let name = ''
  const given = typeof json['name'] === 'string' ? json['name'] : defaultName
  if (given === undefined) {
    if (isMap(resolved) && !resolved.has('name'))
      reader.mistake(node, 'name', 'is missing: write namespaces/NAMESPACE/useCases/ID, NAMESPACE/ID, or ID')
  } else
    try {
      name = useCaseName(given, namespace)
    } catch (error) {
      if (!(error instanceof CliError)) throw error
      reader.mistake(node, 'name', [error.message, ...error.hints].join('; '))
    }
  if (isMap(resolved) && !resolved.has('spec')) reader.mistake(node, 'spec', 'is missing')
  return fromJson(UseCaseSchema, { name, ...(json['spec'] !== undefined && { spec: json['spec'] }) })
}
