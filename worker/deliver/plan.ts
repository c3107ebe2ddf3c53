import type { DeliveryPolicy, UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import {
  Concurrency,
  DeliveryClass,
  GiveUp,
  HttpMethod,
  Isolation,
  LogBody,
  OnExhausted,
  Ordering,
  TombstonePolicy,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { groupId } from '../../runtime/lane-keys.ts'
import { compileAuthHeaders } from './compile-auth.ts'
import { type BatchPlan, compileBatching } from './compile-batching.ts'
import { cloudEventsHeaders } from './compile-cloud-events.ts'
import { compileRate } from './compile-rate.ts'
import { compileRetryPlan, compileStatusPlans, policyIdOf } from './compile-retry-plan.ts'
import { compileConstantHeaders, contentType, maskSecrets } from './constant-headers.ts'
import { PlanError } from './plan-error.ts'
import { choice, durationMs, part, wholeNumber } from './plan-values.ts'
import type { RatePlan } from './rate-limit.ts'
import type { RetryPlan } from './retry-policy.ts'
import { compileStatusClasses } from './status-class.ts'

/**
 * A use case's revision as a worker carries it out: every value with its default, in plain numbers and strings.
 * Not in it: how bytes are decoded, and what the control plane divides over the workers (max_in_flight, parked_max, parked_bytes_max).
 */
export interface Plan {
  /** `namespaces/{namespace}/useCases/{id}`. */
  readonly name: string
  readonly namespace: string
  readonly id: string
  readonly uid: string
  readonly revision: number
  readonly cluster: string
  readonly topic: string
  /** Kafka group that mirrors the floors. */
  readonly group: string
  readonly isolation: 'READ_COMMITTED' | 'READ_UNCOMMITTED'
  readonly ordering: 'UNORDERED' | 'KEY' | 'PARTITION'
  /** Of the whole fleet; undefined without a limit. */
  readonly rateLimit: RatePlan | undefined
  /** Whether the worker finds out how many requests the endpoint takes at once, within its share. */
  readonly isAdaptive: boolean
  /** Whether it takes what the others of its endpoint group leave. */
  readonly isBackfill: boolean
  /** Scheme, host and port. */
  readonly origin: string
  /** Path and query. */
  readonly path: string
  /** Origin and path, as the log has it. */
  readonly url: string
  readonly method: 'POST' | 'PUT' | 'PATCH'
  /** [name, value, ...], the same for every request. */
  readonly headers: readonly string[]
  /** The same as the log may show them: credentials masked. */
  readonly loggedHeaders: readonly string[]
  /** From sending a request to the end of its answer. */
  readonly requestTimeoutMs: number
  readonly connectTimeoutMs: number
  /** Undefined: one request per record. */
  readonly batch: BatchPlan | undefined
  /** Whether of a key's records that wait only the newest is sent. */
  readonly latestVersionWins: boolean
  readonly retry: RetryPlan
  /** In place of `retry` after an answer with such a status. */
  readonly statusPlans: ReadonlyMap<number, RetryPlan>
  /** Whether an answer's ferry-action header is looked at. */
  readonly answerDecides: boolean
  /** To be asked by the functions of status-class.ts. */
  readonly statusClasses: Uint8Array
  /** Whether giving up is paid for by successes. */
  readonly giveUpFunded: boolean
  /** Whether a delivery that would be FAILED waits for an operator, and what follows it, too. */
  readonly blocks: boolean
  /** Empty: none. */
  readonly deadLetterTopic: string
  /** Differs when the retry policy does: what waits is planned anew then. */
  readonly policyId: string
  readonly logBody: 'ALL' | 'FAILURES' | 'NONE'
  readonly requestBodyBytesMax: number
  readonly responseBodyBytesMax: number
  /** Whether a record without a value is sent, as null. */
  readonly deliversTombstones: boolean
  readonly successRetentionS: number
  readonly failureRetentionS: number
}

const DAY_MS = 86_400_000

/** Throws a PlanError when this worker cannot carry the use case out: it was validated, so that is a bug or a newer control plane. */
export function compilePlan(useCase: UseCase): Plan {
  const spec = part('spec', useCase.spec)
  const retry = spec.retry && part('spec.retry', spec.retry)
  const delivery = spec.delivery && part('spec.delivery', spec.delivery)
  const retryPlan = compileRetryPlan(retry)
  const rules = retry?.statusRules.map((rule, at) => part(`spec.retry.status_rules[${at}]`, rule)) ?? []
  return {
    ...compileIdentity(useCase),
    ...compileSource(useCase),
    ...compileDestination(useCase),
    ordering: choice('spec.delivery.ordering', orderings, delivery?.ordering),
    rateLimit: compileRate(delivery),
    isAdaptive: isAdaptive(delivery),
    isBackfill: choice('spec.delivery.class', classes, delivery?.class),
    latestVersionWins: delivery?.latestVersionWins ?? false,
    retry: retryPlan,
    statusPlans: compileStatusPlans(rules, retryPlan),
    statusClasses: compileStatusClasses(retry?.successStatus ?? [], retry?.retryableStatus ?? [], rules),
    answerDecides: retry?.answerDecides ?? false,
    deliversTombstones: choice('spec.decode.tombstone', tombstones, spec.decode?.tombstone),
    giveUpFunded: choice('spec.retry.give_up', giveUps, retry?.giveUp),
    blocks: choice('spec.retry.on_exhausted', blockings, retry?.onExhausted),
    deadLetterTopic: retry?.deadLetterTopic ?? '',
    policyId: policyIdOf(retry),
    ...compileLog(useCase),
  }
}

function isAdaptive(delivery: DeliveryPolicy | undefined): boolean {
  const meanings = {
    [Concurrency.UNSPECIFIED]: delivery?.maxInFlight === undefined,
    [Concurrency.FIXED]: false,
    [Concurrency.ADAPTIVE]: true,
  }
  return choice('spec.delivery.concurrency', meanings, delivery?.concurrency)
}

const orderings = {
  [Ordering.UNSPECIFIED]: 'UNORDERED',
  [Ordering.UNORDERED]: 'UNORDERED',
  [Ordering.KEY]: 'KEY',
  [Ordering.PARTITION]: 'PARTITION',
} as const
const classes = {
  [DeliveryClass.UNSPECIFIED]: false,
  [DeliveryClass.LIVE]: false,
  [DeliveryClass.BACKFILL]: true,
} as const
const giveUps = { [GiveUp.UNSPECIFIED]: true, [GiveUp.FUNDED]: true, [GiveUp.UNFUNDED]: false } as const
const blockings = {
  [OnExhausted.UNSPECIFIED]: false,
  [OnExhausted.CONTINUE]: false,
  [OnExhausted.BLOCK]: true,
} as const
const tombstones = {
  [TombstonePolicy.UNSPECIFIED]: false,
  [TombstonePolicy.SKIP]: false,
  [TombstonePolicy.DELIVER_NULL]: true,
} as const
const methods = {
  [HttpMethod.UNSPECIFIED]: 'POST',
  [HttpMethod.POST]: 'POST',
  [HttpMethod.PUT]: 'PUT',
  [HttpMethod.PATCH]: 'PATCH',
} as const
const isolations = {
  [Isolation.UNSPECIFIED]: 'READ_COMMITTED',
  [Isolation.READ_COMMITTED]: 'READ_COMMITTED',
  [Isolation.READ_UNCOMMITTED]: 'READ_UNCOMMITTED',
} as const
const logBodies = {
  [LogBody.UNSPECIFIED]: 'ALL',
  [LogBody.ALL]: 'ALL',
  [LogBody.FAILURES]: 'FAILURES',
  [LogBody.NONE]: 'NONE',
} as const

function compileIdentity({
  name,
  uid,
  revision,
}: UseCase): Pick<Plan, 'name' | 'namespace' | 'id' | 'uid' | 'revision' | 'group'> {
  const words = /^namespaces\/([^/]+)\/useCases\/([^/]+)$/.exec(name)
  if (words === null)
    throw new PlanError('INVALID', 'name', `is ${JSON.stringify(name)}, not namespaces/{namespace}/useCases/{id}`)
  if (uid === '') throw new PlanError('MISSING', 'uid', 'is empty')
  return { name, namespace: words[1]!, id: words[2]!, uid, revision: Number(revision), group: groupId(name, uid) }
}

function compileSource(useCase: UseCase): Pick<Plan, 'cluster' | 'topic' | 'isolation'> {
  const source = part('spec.source', useCase.spec?.source)
  if (source.topic === '') throw new PlanError('MISSING', 'spec.source.topic', 'is empty')
  return {
    cluster: source.cluster === '' ? 'default' : source.cluster,
    topic: source.topic,
    isolation: choice('spec.source.isolation', isolations, source.isolation),
  }
}

type DestinationPart =
  | 'origin'
  | 'path'
  | 'url'
  | 'method'
  | 'headers'
  | 'loggedHeaders'
  | 'requestTimeoutMs'
  | 'connectTimeoutMs'
  | 'batch'

function compileDestination(useCase: UseCase): Pick<Plan, DestinationPart> {
  const field = 'spec.destination'
  const destination = part(field, useCase.spec?.destination)
  const secrets = compileAuthHeaders(`${field}.auth`, destination.auth)
  const batch = compileBatching(`${field}.batch`, destination.batch)
  const headers = compileConstantHeaders({
    ...(batch?.isNdjson && contentType('application/x-ndjson', destination.headers)),
    ...destination.headers,
    ...secrets,
    ...cloudEventsHeaders(`${field}.cloud_events`, destination.cloudEvents, batch !== undefined),
  })
  const requestTimeoutMs = durationMs(`${field}.request_timeout`, destination.requestTimeout, 30_000, 1)
  return {
    ...compileUrl(`${field}.url`, destination.url),
    method: choice(`${field}.method`, methods, destination.method),
    headers,
    loggedHeaders: maskSecrets(headers, Object.keys(secrets)),
    requestTimeoutMs,
    connectTimeoutMs: durationMs(`${field}.connect_timeout`, destination.connectTimeout, Math.min(5000, requestTimeoutMs), 1),
    batch,
  }
}

function compileUrl(field: string, text: string): Pick<Plan, 'origin' | 'path' | 'url'> {
  // The text is not repeated: it may hold credentials.
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw new PlanError('INVALID', field, 'is no http or https URL')
  if (url.username !== '' || url.password !== '')
    throw new PlanError('INVALID', field, 'holds a user or password, which would be in every row of the log; give them as auth')
  const path = url.pathname + url.search
  return { origin: url.origin, path, url: url.origin + path }
}

type LogPart = 'logBody' | 'requestBodyBytesMax' | 'responseBodyBytesMax' | 'successRetentionS' | 'failureRetentionS'

function compileLog(useCase: UseCase): Pick<Plan, LogPart> {
  const field = 'spec.log'
  const log = useCase.spec?.log && part(field, useCase.spec.log)
  const successMs = durationMs(`${field}.success_retention`, log?.successRetention, 3 * DAY_MS, 1)
  const failureMs = durationMs(`${field}.failure_retention`, log?.failureRetention, 30 * DAY_MS, 1)
  return {
    logBody: choice(`${field}.request_body`, logBodies, log?.requestBody),
    requestBodyBytesMax: wholeNumber(`${field}.request_body_bytes_max`, log?.requestBodyBytesMax, 64 * 1024),
    responseBodyBytesMax: wholeNumber(`${field}.response_body_bytes_max`, log?.responseBodyBytesMax, 4 * 1024),
    successRetentionS: Math.ceil(successMs / 1000),
    failureRetentionS: Math.ceil(failureMs / 1000),
  }
}
