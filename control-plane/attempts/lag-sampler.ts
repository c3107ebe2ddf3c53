import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Logger } from '../../runtime/log.ts'
import { type LagSources, sampleLag } from './lag.ts'
import { subjectOf } from './subject.ts'
import type { TopicOffsets } from './topic-offsets.ts'

/** One after the other, ten thousand would take longer than the round's interval. */
const useCasesAtOnce = 32

/**
 * One round of remembering how far every use case is behind; the leader makes one every 10 s. Kafka is asked once per topic.
 * Answers how many records each is behind. A use case that cannot be sampled is logged, and does not keep the others from it.
 */
export async function sampleAllLags(
  sources: LagSources,
  useCases: Iterable<UseCase>,
  now: () => number,
  log: Logger,
): Promise<ReadonlyMap<UseCase, number>> {
  const lags = new Map<UseCase, number>()
  const offsets = askOnce(sources.offsets)
  const one = (useCase: UseCase): Promise<void> =>
    sampleLag({ ...sources, offsets }, subjectOf(useCase), now()).then(
      (records) => void lags.set(useCase, records),
      (error: unknown) => log.debug({ useCase: useCase.name, error: String(error) }, 'lag: not sampled'),
    )
  const all = [...useCases]
  for (let at = 0; at < all.length; at += useCasesAtOnce) await Promise.all(all.slice(at, at + useCasesAtOnce).map(one))
  return lags
}

function askOnce(offsets: TopicOffsets): TopicOffsets {
  const once = (ask: TopicOffsets['endOffsets']): TopicOffsets['endOffsets'] => {
    const answers = new Map<string, ReturnType<typeof ask>>()
    return (cluster, topic) => {
      const key = `${cluster}/${topic}`
      const answer = answers.get(key) ?? ask(cluster, topic)
      answers.set(key, answer)
      return answer
    }
  }
  return {
    endOffsets: once((cluster, topic) => offsets.endOffsets(cluster, topic)),
    startOffsets: once((cluster, topic) => offsets.startOffsets(cluster, topic)),
  }
}
