import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf'
import { type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { keptSchema } from './kept-schema.ts'

/** DELETE marks a use case as deleting; REMOVE is the end of it, when its lanes are drained. */
export type ChangeAction = 'CREATE' | 'UPDATE' | 'PAUSE' | 'RESUME' | 'DELETE' | 'REMOVE'

/** The audit has other entries beside these, which change no definition: retry batches, tokens, orders of operators. */
const definitionActions: Readonly<Record<ChangeAction, true>> = {
  ...{ CREATE: true, UPDATE: true, PAUSE: true, RESUME: true, DELETE: true, REMOVE: true },
}
export const isDefinitionAction = (action: string): action is ChangeAction => Object.hasOwn(definitionActions, action)
/** For a query of the audit. */
export const definitionActionList: readonly string[] = Object.keys(definitionActions)

/** One accepted change of one use case: what is written to Redis, and what the audit keeps. */
export interface Change {
  readonly action: ChangeAction
  /** Who asked for it. */
  readonly actor: string
  /** Why, as far as somebody said it. */
  readonly reason: string
  readonly timeMs: number
  /** Undefined when there was none. */
  readonly before: UseCase | undefined
  /** Undefined when there is none any more. */
  readonly after: UseCase | undefined
}

export const writeUseCase = (useCase: UseCase): string => JSON.stringify(toJson(UseCaseSchema, useCase))

/** What was read without fields that this build does not know. */
const partlyRead = new WeakSet<UseCase>()

/** Fields that a newer control plane wrote are left out, so that versions run side by side; see isPartlyRead. */
export function readUseCase(json: string): UseCase {
  const value = JSON.parse(json) as JsonValue
  try {
    return fromJson(UseCaseSchema, value)
  } catch {
    const useCase = fromJson(UseCaseSchema, value, { ignoreUnknownFields: true })
    partlyRead.add(useCase)
    return useCase
  }
}

/** Whether writing this back would lose what a newer control plane wrote. */
export const isPartlyRead = (useCase: UseCase): boolean => partlyRead.has(useCase)

/** A row of `use_case_changes` without its id, which the script gives. namespace and use_case are empty where it is about none. */
export interface ChangeRow {
  readonly change_time: number
  readonly actor: string
  readonly action: string
  readonly namespace: string
  readonly use_case: string
  /** What was changed. Left out: the use case itself. */
  readonly resource?: string
  readonly uid: string
  readonly revision: string
  readonly reason: string
  readonly before: string
  readonly after: string
}

export function changeRow(change: Change): ChangeRow {
  const subject = change.after ?? change.before
  if (subject === undefined) throw new Error('a change has a use case before or after it')
  const [, namespace, , id] = subject.name.split('/')
  return {
    change_time: change.timeMs,
    actor: change.actor,
    action: change.action,
    namespace: namespace!,
    use_case: id!,
    uid: subject.uid,
    revision: String(subject.revision),
    reason: change.reason,
    before: change.before ? writeUseCase(change.before) : '',
    after: change.after ? writeUseCase(change.after) : '',
  }
}

/** An entry of something that changes no definition. */
export interface OrderEntry {
  readonly timeMs: number
  readonly actor: string
  readonly action: string
  /** `namespaces/{namespace}/useCases/{id}`; anything else is in no namespace. */
  readonly useCase: string
  readonly uid: string
  readonly resource: string
  readonly reason: string
  /** As JSON has it, without secrets. */
  readonly after: string
}

export function orderRow({ timeMs, actor, action, useCase, uid, resource, reason, after }: OrderEntry): ChangeRow {
  const [, namespace = '', , id = ''] = useCase.startsWith('namespaces/') ? useCase.split('/') : []
  return {
    ...{ change_time: timeMs, actor, action, namespace, use_case: id, resource, uid, revision: '0' },
    ...{ reason, before: '', after },
  }
}

/** Content hash of the descriptor set or schema that a definition names; undefined when it names none. */
export const descriptorSetOf = (useCase: UseCase | undefined): string | undefined => keptSchema(useCase?.spec)?.sha256
