import { randomBytes } from 'node:crypto'
import { clone, create, equals } from '@bufbuild/protobuf'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { type UseCase, UseCaseSchema, type UseCaseSpec, UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { type DescriptorSets, hashDescriptorSet } from '../store/descriptor-sets.ts'
import { keptSchema } from '../store/kept-schema.ts'
import type { Records } from '../store/records.ts'
import type { Caller } from './caller.ts'
import { type Difference, differences } from './differences.ts'
import { editUseCase, etagMismatch, notFound, refuseDeleting } from './edit-use-case.ts'
import { type Page, pageOf } from './page.ts'
import { type StoredSpec, storedSpec } from './stored-spec.ts'
import { applyMask } from './update-mask.ts'
import { refuse, UseCaseError } from './use-case-error.ts'
import { answered, hideSecretsOf, type UseCaseSecrets } from './use-case-secrets.ts'
import { newUseCase, nextRevision } from './use-case-state.ts'
import { type ValidateContext, type ValidateOptions, validate } from './validate.ts'
import { someOf } from './violation.ts'

/** Only a sweep of descriptor sets at the very same time makes a second try. */
const triesMax = 3

export interface RegistryOptions {
  readonly records: Records
  readonly descriptorSets: DescriptorSets
  readonly validation: Omit<ValidateContext, 'descriptorSet' | 'nowMs' | 'useCases'>
  readonly secrets: UseCaseSecrets
  readonly nowMs: () => number
}

export interface Update {
  /** Its name, what is to change, and the etag of what was read, if any. */
  readonly useCase: UseCase
  /** Empty: the whole spec. */
  readonly maskPaths: readonly string[]
  readonly allowMissing: boolean
  readonly validateOnly: boolean
}

/** Which use cases there are and what they ask for. Throws UseCaseError and StoreError. Answers never hold a descriptor set. */
export class Registry {
  readonly #records: Records
  readonly #descriptorSets: DescriptorSets
  readonly #validation: ValidateContext
  readonly #secrets: UseCaseSecrets
  readonly #nowMs: () => number

  constructor({ records, descriptorSets, validation, secrets, nowMs }: RegistryOptions) {
    this.#secrets = secrets
    this.#records = records
    this.#descriptorSets = descriptorSets
    const useCases = async () => (await records.readAll()).values()
    this.#validation = { ...validation, nowMs, descriptorSet: (sha256) => descriptorSets.read(sha256), useCases }
    this.#nowMs = nowMs
  }

  async get(name: string): Promise<UseCase> {
    const useCase = await this.#records.read(name)
    if (!useCase) throw notFound(name)
    return useCase
  }

  async getByUid(uid: string): Promise<UseCase | undefined> {
    return this.#records.readByUid(uid)
  }

  /** All use cases by name, cheap to ask often. The answer is shared: it must not be written to. */
  async all(): Promise<ReadonlyMap<string, UseCase>> {
    return this.#records.readAll()
  }

  /** Sorted by name. `parent` is `namespaces/{namespace}`, or empty for all; `sees` says which names the caller may see. */
  async list(
    parent: string,
    pageSize: number,
    pageToken: string,
    sees: (name: string) => boolean = () => true,
  ): Promise<Page<UseCase>> {
    const all = await this.#records.readAll()
    const names = [...all.keys()].filter((name) => (parent === '' || name.startsWith(`${parent}/`)) && sees(name)).sort()
    const page = pageOf(names, parent, pageSize, pageToken)
    return { ...page, items: page.items.map((name) => all.get(name)!) }
  }

  /** As a worker needs it: with the bytes of the descriptor set or schema. */
  async withDescriptorSet(useCase: UseCase): Promise<UseCase> {
    const { sha256, what } = keptSchema(useCase.spec) ?? {}
    if (!sha256) return useCase
    const bytes = await this.#descriptorSets.read(sha256)
    if (!bytes)
      throw new UseCaseError('STATE_UNAVAILABLE', `the ${what} of ${useCase.name} is not in Redis: update it with its bytes`)
    const copy = clone(UseCaseSchema, useCase)
    keptSchema(copy.spec)!.replace(bytes, sha256)
    return copy
  }

  /**
   * A definition to be tried, whole as a worker needs it: what is asked for, as it would be registered under its name, or without a
   * spec what is registered.
   */
  async draft(asked: UseCase): Promise<UseCase> {
    const existing = await this.#records.read(asked.name)
    if (asked.spec === undefined && existing === undefined) throw notFound(asked.name)
    if (asked.spec === undefined) return this.withDescriptorSet(existing!)
    const stored = storedSpec(asked.spec, hashDescriptorSet)
    const problems = this.#secrets.prepare(stored.spec, existing)
    const useCase = create(UseCaseSchema, { name: asked.name, spec: asked.spec })
    refuse([...(await validate(useCase, stored, { asksKafka: true }, this.#validation)), ...problems])
    const uid = existing?.uid ?? newUid()
    this.#secrets.finish(stored.spec, uid, existing)
    const draft = create(UseCaseSchema, { name: asked.name, uid, revision: existing?.revision ?? 0n, spec: stored.spec })
    if (stored.schema === undefined) return this.withDescriptorSet(draft)
    const kept = keptSchema(draft.spec)!
    kept.replace(stored.schema, kept.sha256)
    return draft
  }

  /** The same definition twice answers the first one. */
  async create(asked: UseCase, validateOnly: boolean, caller: Caller): Promise<UseCase> {
    const stored = storedSpec(asked.spec ?? create(UseCaseSpecSchema), hashDescriptorSet)
    const existing = await this.#records.read(asked.name)
    const problems = this.#secrets.prepare(stored.spec, existing)
    if (existing && this.#isSame(existing, asked, stored)) return alreadyThere(existing, stored.spec)
    const useCase = create(UseCaseSchema, { name: asked.name, ...(asked.spec && { spec: asked.spec }) })
    refuse([...(await validate(useCase, stored, { asksKafka: !existing }, this.#validation)), ...problems])
    if (existing) return alreadyThere(existing, stored.spec)
    const nowMs = this.#nowMs()
    const uid = newUid()
    this.#secrets.finish(stored.spec, uid, undefined)
    const after = newUseCase(asked.name, uid, stored.spec, nowMs)
    if (validateOnly) return create(UseCaseSchema, { name: after.name, spec: after.spec!, status: after.status! })
    // Somebody else was faster: then it is compared with theirs.
    return (await this.#insert(after, stored, caller)) ?? this.create(asked, false, caller)
  }

  /** What does not change anything is no change: it gets no revision, and registering at every deploy costs nothing. */
  async update(update: Update, caller: Caller): Promise<UseCase> {
    const { name, etag } = update.useCase
    if (update.allowMissing && !(await this.#records.read(name))) {
      if (etag !== '') throw etagMismatch(name, etag, undefined)
      try {
        return await this.create(update.useCase, update.validateOnly, caller)
      } catch (error) {
        // Somebody else was faster: then it is there to be changed.
        if (!(error instanceof UseCaseError && error.code === 'USE_CASE_EXISTS')) throw error
      }
    }
    let preview: UseCase | undefined
    const updated = await editUseCase(this.#records, name, etag, async (current) => {
      refuseDeleting(current)
      const stored = await this.#mergeAndValidate(current, update)
      preview = clone(UseCaseSchema, current)
      preview.spec = stored.spec
      if (update.validateOnly || equals(UseCaseSpecSchema, stored.spec, current.spec!)) return undefined
      const nowMs = this.#nowMs()
      if (stored.schema) await this.#descriptorSets.store(stored.schema)
      return {
        action: 'UPDATE',
        actor: caller.actor,
        reason: '',
        timeMs: nowMs,
        after: nextRevision(current, { spec: stored.spec }, nowMs),
      }
    })
    return update.validateOnly ? (preview ?? updated) : updated
  }

  /** Undefined when there is one of the name by now. */
  async #insert(after: UseCase, stored: StoredSpec, caller: Caller): Promise<UseCase | undefined> {
    const change = { action: 'CREATE', actor: caller.actor, reason: '', timeMs: timestampMs(after.createTime!) } as const
    for (let tries = 0; tries < triesMax; tries++) {
      if (stored.schema) await this.#descriptorSets.store(stored.schema)
      const result = await this.#records.write({ ...change, before: undefined, after })
      if (result.kind === 'WRITTEN') return after
      if (result.kind === 'CONFLICT') return undefined
    }
    throw new UseCaseError(
      'CONCURRENT_CHANGE',
      `the descriptor set or schema of ${after.name} was removed meanwhile: give its bytes`,
    )
  }

  async #mergeAndValidate(current: UseCase, { useCase, maskPaths }: Update): Promise<StoredSpec> {
    const visible = answered(current).spec!
    const merged = applyMask(visible, useCase.spec, maskPaths)
    if ('violations' in merged) throw new UseCaseError('INVALID_REQUEST', merged.violations[0]!.description, merged)
    const stored = storedSpec(merged.spec, hashDescriptorSet)
    const options: ValidateOptions = { before: current.spec!, asksKafka: false }
    const asked = create(UseCaseSchema, { name: current.name, spec: merged.spec })
    const problems = this.#secrets.prepare(stored.spec, current)
    refuse([...(await validate(asked, stored, options, this.#validation)), ...problems])
    this.#secrets.finish(stored.spec, current.uid, current)
    return stored
  }

  /** Only a definition that keeps the contract's rules can be compared. */
  #isSame(existing: UseCase, asked: UseCase, stored: StoredSpec): boolean {
    if (stored.mismatch !== undefined || this.#validation.contractViolations(asked).length > 0) return false
    return visibleDifferences(existing.spec!, stored.spec).length === 0
  }
}

const newUid = (): string => randomBytes(10).toString('hex')

/** A secret is the same when its reference is. */
function visibleDifferences(before: UseCaseSpec, after: UseCaseSpec): Difference[] {
  const visible = [before, after].map((each) => clone(UseCaseSpecSchema, each)) as [UseCaseSpec, UseCaseSpec]
  for (const each of visible) hideSecretsOf(each)
  return differences(...visible)
}

/** The existing use case when it means the same; else throws USE_CASE_EXISTS with the fields that differ. */
function alreadyThere(existing: UseCase, spec: UseCaseSpec): UseCase {
  refuseDeleting(existing)
  const found = visibleDifferences(existing.spec!, spec)
  if (found.length === 0) return existing
  const { name, uid } = existing
  const list = someOf(
    found.map(({ path, before, after }) => `${path} (there: ${before}, given: ${after})`),
    5,
  )
  const message = `${name} exists with another definition; different are ${list}. Change it with UpdateUseCase, or choose another id`
  throw new UseCaseError('USE_CASE_EXISTS', message, { metadata: { name, uid, fields: someOf(found.map((each) => each.path)) } })
}
