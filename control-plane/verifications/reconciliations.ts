import type { ExpectedRecords, ReportExpectedRecordsRequest } from '../../proto/gen/ferry/v1/reconciliation_pb.ts'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { QueryError, refuse } from '../attempts/query-error.ts'
import { askOffsets } from '../attempts/topic-offsets.ts'
import { countPlanned, planVerification, type VerifySources, verifiedUseCase } from '../attempts/verify-plan.ts'
import type { VerifyLimits } from '../attempts/verify-range.ts'
import { askedOf } from './asked-of.ts'
import type { ExpectedLog } from './expected-log.ts'
import { checkExpected, type ExpectedWindow, expectedMessage } from './expected-window.ts'
import { planOf, type Reconciled, reconcile } from './reconcile.ts'

export interface ReconciliationsOptions {
  readonly expected: ExpectedLog
  readonly sources: VerifySources
  readonly limits: VerifyLimits
  /** Throws when there is none. */
  readonly useCase: (name: string) => Promise<UseCase>
  /** Of each use case. */
  readonly windowsMax: number
  readonly nowMs: () => number
}

export interface ReconciliationPage {
  readonly reconciled: readonly Reconciled[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

const defaultPageSize = 20

/** What producers report, and what comes of comparing it. Throws QueryError and StoreError, and what `useCase` throws. */
export class Reconciliations {
  readonly #options: ReconciliationsOptions

  constructor(options: ReconciliationsOptions) {
    this.#options = options
  }

  /** Answers the windows as they are kept: by offsets, since Kafka lets go of what times mean. */
  async report({ useCase: name, windows }: ReportExpectedRecordsRequest, reporter: string): Promise<ExpectedRecords[]> {
    const { expected, sources, limits, windowsMax, nowMs } = this.#options
    const useCase = verifiedUseCase(await this.#options.useCase(name))
    const reportMs = nowMs()
    const ends = await askOffsets(sources.offsets.endOffsets(useCase.cluster, useCase.topic))
    refuse(checkExpected(windows, ends, useCase.topic, reportMs))
    const known = await expected.count(useCase)
    if (known + windows.length > windowsMax) {
      const what = `${known} windows of ${name} are known, and ${windowsMax} may be (FERRY_EXPECTED_WINDOWS_MAX)`
      throw new QueryError('LIMIT_EXCEEDED', `${what}: report larger windows`)
    }
    const kept: ExpectedWindow[] = []
    for (const window of windows) {
      const { ranges: slices, topicId } = await planVerification(sources, limits, useCase, askedOf(window), reportMs)
      const { windowId: id, count, keyChecksum } = window
      kept.push({ id, slices, count: Number(count), keyChecksum, topicId, reporter, reportMs })
    }
    await expected.insert(useCase, kept)
    return kept.map(expectedMessage)
  }

  /** By window id; a page ends where its windows would have more offsets than one call counts. */
  async reconcile(name: string, ids: readonly string[], pageSize: number, pageToken: string): Promise<ReconciliationPage> {
    const { expected, sources, limits, nowMs } = this.#options
    const useCase = verifiedUseCase(await this.#options.useCase(name))
    const size = pageSize || defaultPageSize
    const found = await expected.page(useCase, ids, pageToken, size + 1)
    const whole = await planVerification(sources, limits, useCase, { ranges: [] }, nowMs())
    const reconciled: Reconciled[] = []
    let offsets = 0
    for (const window of found.slice(0, size)) {
      const plan = planOf(whole, window)
      const planned = countPlanned(plan)
      if (planned > limits.offsetsMax) {
        const what = `window ${window.id} has ${planned} offsets, and one call counts at most ${limits.offsetsMax}`
        throw new QueryError(
          'LIMIT_EXCEEDED',
          `${what} (FERRY_VERIFY_OFFSETS_MAX): name other windows in window_ids, or report smaller ones`,
        )
      }
      offsets += planned
      if (offsets > limits.offsetsMax) break
      reconciled.push(await reconcile(sources.log, limits, plan, window))
    }
    return { reconciled, nextPageToken: reconciled.length < found.length ? (reconciled.at(-1)?.expected.id ?? '') : '' }
  }
}
