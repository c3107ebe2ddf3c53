import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { VerificationState } from '../../proto/gen/ferry/v1/verification_service_pb.ts'
import type { Logger } from '../../runtime/log.ts'
import { QueryError } from '../attempts/query-error.ts'
import { countPlanned, planVerification, type VerifySources, verifiedUseCase } from '../attempts/verify-plan.ts'
import { countPlan, type VerifyLimits } from '../attempts/verify-range.ts'
import { StoreError } from '../store/store-error.ts'
import { askedOf } from './asked-of.ts'
import { certify } from './certificate.ts'
import type { CertificateKeys } from './certificate-keys.ts'
import { changed, createMsOf, ended, idOf, type VerificationRecord } from './verification-record.ts'
import type { VerificationStore } from './verification-store.ts'
import { verifiedMessage } from './verified-message.ts'

export interface VerificationRunnerOptions {
  readonly store: VerificationStore
  readonly sources: VerifySources
  readonly limits: VerifyLimits
  readonly useCaseByUid: (uid: string) => Promise<UseCase | undefined>
  readonly keys: CertificateKeys
  readonly ferryVersion: string
  readonly lead: () => { readonly term: number } | undefined
  /** Counted side by side; the others wait. */
  readonly atOnce: number
  /** From its creation on; then it has failed. */
  readonly timeoutMs: number
  readonly progressIntervalMs: number
  /** After so long one that found a part away is tried again. */
  readonly retryMs: number
  readonly nowMs: () => number
  readonly log: Logger
}

/** Somebody has ended it, or another replica leads: nothing is to be written any more. */
class NoLongerOurs extends Error {}

/** What waiting may mend. */
const passing: ReadonlySet<string> = new Set(['LOG_UNAVAILABLE', 'SOURCE_UNAVAILABLE', 'STATE_UNAVAILABLE'])

/** Counts verifications on the leader, a few at a time. What it does is read only: two leaders for a moment do no harm. */
export class VerificationRunner {
  readonly #options: VerificationRunnerOptions
  readonly #running = new Map<string, Promise<void>>()
  readonly #notBeforeMs = new Map<string, number>()
  #stopped = false

  constructor(options: VerificationRunnerOptions) {
    this.#options = options
  }

  /** Begins what waits, as far as there is room. */
  async step(): Promise<void> {
    const { store, atOnce, nowMs, log } = this.#options
    if (this.#running.size >= atOnce) return
    const open = await store.open()
    const ids = new Set(open.map(idOf))
    for (const id of this.#notBeforeMs.keys()) if (!ids.has(id)) this.#notBeforeMs.delete(id)
    for (const record of open) {
      const id = idOf(record)
      if (this.#stopped || this.#running.size >= atOnce) return
      if (this.#running.has(id) || (this.#notBeforeMs.get(id) ?? 0) > nowMs()) continue
      const run = this.#run(record)
        .catch((error: unknown) =>
          log.warn({ verification: record.verification.name, error: String(error) }, 'verification: later'),
        )
        .finally(() => this.#running.delete(id))
      this.#running.set(id, run)
    }
  }

  /** Ends soon: another leader counts from the start. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running.values())
  }

  /** Until all that has begun has ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  async #run(first: VerificationRecord): Promise<void> {
    const { nowMs, retryMs } = this.#options
    let record = first
    const write = async (next: VerificationRecord): Promise<void> => {
      if (!(await this.#options.store.replace(next))) throw new NoLongerOurs()
      record = next
    }
    try {
      await this.#count(first, write, () => record)
    } catch (error) {
      if (error instanceof NoLongerOurs) return
      this.#notBeforeMs.set(idOf(first), nowMs() + retryMs)
      const code = error instanceof QueryError || error instanceof StoreError ? error.code : undefined
      if (code === undefined) throw error
      const message = (error as Error).message
      if (passing.has(code))
        await this.#options.store.replace(changed(record, { state: VerificationState.PENDING, error: message }))
      else await this.#options.store.replace(ended(record, VerificationState.FAILED, nowMs(), { error: message }))
    }
  }

  async #count(
    first: VerificationRecord,
    write: (next: VerificationRecord) => Promise<void>,
    current: () => VerificationRecord,
  ): Promise<void> {
    const { sources, limits, useCaseByUid, keys, ferryVersion, progressIntervalMs, nowMs } = this.#options
    const useCase = await useCaseByUid(first.uid)
    if (useCase === undefined) throw new QueryError('INVALID_REQUEST', 'the use case was deleted')
    this.#requireTime(first)
    await write(changed(first, { state: VerificationState.RUNNING, offsetsDone: 0n, error: '' }))
    const asked = askedOf(first.verification)
    const subject = verifiedUseCase(useCase)
    const plan = await planVerification(sources, limits, subject, asked, nowMs())
    const offsetsTotal = BigInt(countPlanned(plan))
    let writtenMs = 0
    const verified = await countPlan(sources.log, limits, plan, async (done) => {
      if (this.#stopped || this.#options.lead() === undefined) throw new NoLongerOurs()
      this.#requireTime(first)
      if (nowMs() - writtenMs < progressIntervalMs) return
      writtenMs = nowMs()
      await write(changed(current(), { offsetsTotal, offsetsDone: BigInt(done) }))
    })
    const { name } = first.verification
    const { uid, revision } = useCase
    const certified = { verification: name, useCase: { name: useCase.name, uid, revision }, asked, verified, ferryVersion }
    const { document, signature, keyId } = certify({ ...certified, cluster: subject.cluster, topic: subject.topic }, keys)
    const certificate = { $typeName: 'ferry.v1.Certificate', document, signature, keyId } as const
    const counted = { offsetsTotal, offsetsDone: offsetsTotal, result: verifiedMessage(verified), certificate }
    await write(ended(current(), VerificationState.DONE, nowMs(), counted))
  }

  #requireTime(record: VerificationRecord): void {
    const { timeoutMs, nowMs } = this.#options
    if (nowMs() - createMsOf(record) <= timeoutMs) return
    const what = `it is not counted after ${timeoutMs} ms (FERRY_VERIFICATION_TIMEOUT)`
    throw new QueryError('LIMIT_EXCEEDED', `${what}: ask for fewer partitions or offsets, or allow more`)
  }
}
