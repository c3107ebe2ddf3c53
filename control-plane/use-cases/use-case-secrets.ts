import { clone } from '@bufbuild/protobuf'
import type { Secret } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { type UseCase, UseCaseSchema, type UseCaseSpec } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { visitSecrets } from '../../proto/visit-secrets.ts'
import { keyIdOf, referenceOf, SecretError, type SecretKeys } from '../../runtime/secret-keys.ts'
import { UseCaseError } from './use-case-error.ts'
import type { Violation } from './violation.ts'

// A secret in a definition, on its way:
//
//   asked for    | prepared                                | kept, in Redis and the audit  | answered
//   value        | value, and the ref of the kept one when | ref = sealed text,            | ref = its reference,
//                | that opens to the same                  | fingerprint                   | fingerprint
//   ref          | ref, and the value when it opens        | the same                      | the same

/** What there is: whose secrets may be kept. */
export type Kept = Pick<UseCase, 'uid'> & { readonly spec?: UseCaseSpec | undefined }

/** Secrets of definitions: opened to be checked and compared, sealed to be kept. */
export class UseCaseSecrets {
  readonly #keys: SecretKeys

  constructor(keys: SecretKeys) {
    this.#keys = keys
  }

  /** Brings what was asked for together with what is kept. Writes to `spec`; answers what is wrong. */
  prepare(spec: UseCaseSpec, kept: Kept | undefined): Violation[] {
    const sealed = new Set<string>()
    if (kept?.spec) visitSecrets(kept.spec, ({ ref }) => sealed.add(ref))
    const violations: Violation[] = []
    visitSecrets(spec, (secret, path) => {
      secret.fingerprint = ''
      const field = `use_case.${path}`
      if (secret.value !== '') secret.ref = this.#sameAs(secret.value, sealed, kept?.uid ?? '') ?? ''
      else if (secret.ref === '') {
        violations.push({ field, description: `${field}.value must be given`, reason: 'SECRET_MISSING' })
      } else {
        const found = [...sealed].find((each) => referenceOf(each) === referenceOf(secret.ref))
        const description = `${field}.ref must be that of a secret of this use case; given ${referenceOf(secret.ref)}: give the value`
        if (found === undefined) violations.push({ field, description, reason: 'SECRET_UNKNOWN' })
        else Object.assign(secret, { ref: found, value: this.#open(found, kept!.uid) ?? '' })
      }
    })
    return violations
  }

  /** Seals what is new, and what another key has sealed, with the first key; from here on `spec` may be kept. Throws UseCaseError SECRETS_UNAVAILABLE. */
  finish(spec: UseCaseSpec, uid: string, kept: Kept | undefined): void {
    const fingerprints = new Map<string, string>()
    if (kept?.spec) visitSecrets(kept.spec, ({ ref, fingerprint }) => fingerprints.set(ref, fingerprint))
    visitSecrets(spec, (secret) => {
      const isOld = secret.value !== '' && keyIdOf(secret.ref) !== this.#keys.firstId
      if (secret.ref === '' || (isOld && this.#keys.firstId !== undefined)) this.#seal(secret, uid)
      else secret.fingerprint = fingerprints.get(secret.ref) ?? ''
      secret.value = ''
    })
  }

  #seal(secret: Secret, uid: string): void {
    try {
      secret.ref = this.#keys.seal(secret.value, uid)
      secret.fingerprint = this.#keys.fingerprint(secret.value)
    } catch (error) {
      if (!(error instanceof SecretError)) throw error
      const message = `the use case has secrets, and ${error.message}. Whoever runs Ferry must set it, for control planes and workers`
      throw new UseCaseError('SECRETS_UNAVAILABLE', message)
    }
  }

  #sameAs(value: string, sealed: ReadonlySet<string>, uid: string): string | undefined {
    for (const each of sealed) if (this.#open(each, uid) === value) return each
    return undefined
  }

  /** Undefined when the key is not here: then a secret cannot be compared, and is replaced when it is given. */
  #open(sealed: string, uid: string): string | undefined {
    try {
      return this.#keys.open(sealed, uid)
    } catch (error) {
      if (error instanceof SecretError) return undefined
      throw error
    }
  }
}

/** A definition as callers may see it: of its secrets the reference and the fingerprint. The same object when it has none. */
export function answered(useCase: UseCase): UseCase {
  let hasSecrets = false
  if (useCase.spec)
    visitSecrets(useCase.spec, () => {
      hasSecrets = true
    })
  if (!hasSecrets) return useCase
  const copy = clone(UseCaseSchema, useCase)
  hideSecretsOf(copy.spec!)
  return copy
}

/** Writes to `spec`. */
export function hideSecretsOf(spec: UseCaseSpec): void {
  visitSecrets(spec, (secret) => {
    secret.ref = referenceOf(secret.ref)
    secret.value = ''
  })
}
