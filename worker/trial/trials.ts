import { toBinary } from '@bufbuild/protobuf'
import { durationMs } from '@bufbuild/protobuf/wkt'
import { PreviewResponseSchema, TestResponseSchema } from '../../proto/gen/ferry/v1/preview_pb.ts'
import type { AnswerTrialRequest, Trial } from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Clusters } from '../clusters.ts'
import { compileRoute, type RouteMeans } from '../deliver/route.ts'
import type { ControlPlaneClient } from '../session/control-plane-client.ts'
import { preview, type TrialParts, test } from './carry-out.ts'
import { TrialError } from './trial-error.ts'

type Answer = AnswerTrialRequest['answer']

/** More wait in the control plane. */
const AT_ONCE_MAX = 4
const PROBLEM_LENGTH_MAX = 1000
/** Kept of the time that somebody waits, for the way back. */
const WAY_BACK_MS = 500

export interface TrialsParts {
  readonly client: Pick<ControlPlaneClient, 'answerTrial'>
  readonly clusters: Pick<Clusters, 'of' | 'names'>
  readonly means: RouteMeans
  readonly log: Pick<Logger, 'info' | 'warn'>
}

/** Tries definitions out for whoever asks the control plane: with records that are read for it alone, beside all lanes. */
export class Trials {
  readonly #parts: TrialsParts
  #running = 0

  constructor(parts: TrialsParts) {
    this.#parts = parts
  }

  /** Begins at once, and answers by itself. */
  take(trials: readonly Trial[]): void {
    for (const trial of trials) void this.#run(trial)
  }

  async #run(trial: Trial): Promise<void> {
    this.#running++
    let answer: Answer
    let otherWorker = false
    try {
      if (this.#running > AT_ONCE_MAX) throw new TrialError(`this worker does ${AT_ONCE_MAX} trials already`, true)
      answer = await this.#carryOut(trial)
    } catch (error) {
      const problem = (error instanceof Error ? error.message : String(error)).slice(0, PROBLEM_LENGTH_MAX)
      otherWorker = error instanceof TrialError && error.otherWorker
      answer = { case: 'problem', value: problem }
    }
    this.#running--
    try {
      await this.#parts.client.answerTrial(trial.id, answer, otherWorker)
    } catch (error) {
      this.#parts.log.warn({ error: String(error) }, 'trial: the control plane does not take the answer')
    }
  }

  async #carryOut({ useCase, wanted, timeout }: Trial): Promise<Answer> {
    const timeoutMs = Math.max(1, durationMs(timeout!) - WAY_BACK_MS)
    const route = compileRoute(useCase!, this.#parts.means)
    const { cluster } = route.plan
    const found = this.#parts.clusters.of(cluster)
    if (found === undefined)
      throw new TrialError(`this worker has no Kafka cluster ${cluster}, only ${this.#parts.clusters.names.join(', ')}`, true)
    const parts: TrialParts = {
      ...{ route, cluster: found.side },
      ...{ signal: AbortSignal.timeout(timeoutMs), deadline: performance.now() + timeoutMs },
    }
    switch (wanted.case) {
      case 'preview': {
        const value = await preview(wanted.value, parts)
        return { case: 'preview', value: toBinary(PreviewResponseSchema, value) }
      }
      case 'test': {
        const value = await test(wanted.value, parts)
        const { status, error } = value
        this.#parts.log.info(
          { useCase: route.plan.name, url: route.plan.url, status, error },
          'trial: one request was sent for a test',
        )
        return { case: 'test', value: toBinary(TestResponseSchema, value) }
      }
      case undefined:
        throw new TrialError('this worker does not know what is wanted: run it from the same release as the control plane', true)
    }
  }
}
