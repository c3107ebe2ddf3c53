import type { MessageInitShape } from '@bufbuild/protobuf'
import { expect } from 'vitest'
import type { UseCase, UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { type Counts, certificate } from '../harness/certificate.ts'
import { Endpoint } from '../harness/endpoint.ts'
import type { Fleet } from '../harness/fleet.ts'
import { judge } from '../harness/judge.ts'
import type { Behaviour, Received } from '../harness/received.ts'
import { type Publication, Topic } from '../harness/topic.ts'
import { registerUseCase, specOf } from '../harness/use-case.ts'

type Spec = Exclude<MessageInitShape<typeof UseCaseSpecSchema>, { $typeName: string }>

/** Fields of UseCaseSpec that are set, and what is seen of it at the endpoint and in the log. */
export interface FieldCase {
  readonly fields: readonly string[]
  /** What is seen, in words. */
  readonly effect: string
  readonly spec: (topic: Topic) => Partial<Spec>
  readonly records: readonly Publication[]
  readonly prepare?: (topic: Topic) => Promise<void>
  readonly behaviour?: Behaviour
  /** Its topic is in the second Kafka cluster. */
  readonly isWest?: boolean
  /** The judge takes 200 to 299 for success, and every record from the first on for its use case's. */
  readonly isJudged?: boolean
  /** While it delivers. */
  readonly during?: (seen: Seen) => Promise<void>
  readonly counts: Partial<Counts>
  /** Where it is not enough that the counts are right. */
  readonly check?: (seen: Seen) => void | Promise<void>
}

export interface Seen {
  readonly fleet: Fleet
  readonly useCase: UseCase
  readonly requests: readonly Received[]
}

const settledMsMax = 30_000

/** Registers the use case, waits for its certificate, and lets the judge and the case look. */
export async function runFieldCase(fleet: Fleet, westBrokers: readonly string[], each: FieldCase): Promise<void> {
  const { spec, records, prepare, behaviour, during, counts, check, isWest = false, isJudged = true } = each
  await using endpoint = await Endpoint.start(behaviour)
  await using topic = await Topic.create(isWest ? westBrokers : fleet.stack.kafkaBrokers, 1)
  await topic.publish(records)
  await prepare?.(topic)
  const given = specOf(topic, endpoint)
  const more = spec(topic)
  const parts = { source: { ...given.source, ...more.source }, destination: { ...given.destination, ...more.destination } }
  const useCase = await registerUseCase(fleet, { ...given, ...more, ...parts } as Spec)
  const seen = { fleet, useCase, requests: endpoint.requests }
  await during?.(seen)
  expect(await certificate(fleet, useCase, settledMsMax)).toMatchObject({ missing: 0, ...counts })
  if (isJudged) expect((await judge(fleet, useCase, topic, endpoint)).problems).toEqual([])
  await check?.(seen)
}
