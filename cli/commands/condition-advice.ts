import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'

/** What an operator can do about a lane that does not move. A condition of a newer server has none. */
export const conditionAdvice: Readonly<Partial<Record<LaneCondition, string>>> = {
  [LaneCondition.PAUSED]: 'somebody has paused the use case: ferry resume NAME',
  [LaneCondition.BREAKER_OPEN]:
    'the endpoint fails nearly everything: look at ferry attempts NAME --outcome retry; it goes on by itself when probes succeed',
  [LaneCondition.WAITING_FOR_SUCCESS]:
    'what is out of retries waits for a success: mend the endpoint; or ferry skip; or give_up UNFUNDED',
  [LaneCondition.PARKED_FULL]: 'too much waits for another attempt: mend the endpoint, or raise spec.delivery.parked_max',
  [LaneCondition.LOG_UNAVAILABLE]: 'ClickHouse takes no rows, and the spool neither: bring them back; nothing is lost meanwhile',
  [LaneCondition.STATE_UNAVAILABLE]: 'Redis takes no checkpoints: is it full, or read-only (docs/redis.md)?',
  [LaneCondition.SOURCE_ERROR]: 'Kafka cannot be read; the message says why (docs/kafka.md)',
  [LaneCondition.NEEDS_DECISION]: 'the log knows the lane, and its state is gone: say where it goes on (docs/state.md)',
  [LaneCondition.NO_WORKER]: 'no worker is there to hold it: ferry workers; start one',
  [LaneCondition.NOT_SUPPORTED]: 'its worker is too old, or has another configuration: the message says what it lacks',
  [LaneCondition.LOG_SPOOLING]: 'ClickHouse takes no rows: they wait in Kafka, and delivery goes on; bring ClickHouse back',
  [LaneCondition.RATE_LIMITED]: 'it goes as fast as spec.delivery.rate_limit lets it',
  [LaneCondition.YIELDING_TO_LIVE]:
    'it is BACKFILL, and LIVE use cases of its endpoint_group take what the endpoint allows: it goes on when they leave some',
  [LaneCondition.ENDPOINT_BLOCKED]:
    'the address may not be called: allow it by FERRY_EGRESS_ALLOW (docs/egress.md), or change destination.url',
  [LaneCondition.CREDENTIALS_UNAVAILABLE]: 'a secret cannot be had: the message says why (docs/credentials.md)',
  [LaneCondition.PAUSED_BY_ANSWER]: 'the endpoint has asked for a pause by its answer: ferry resume NAME when it is ready',
  [LaneCondition.BLOCKED]:
    'a delivery holds up what follows: ferry retry NAME --waiting PARTITION/OFFSET, or ferry skip NAME PARTITION/OFFSET',
  [LaneCondition.DEAD_LETTERS_UNAVAILABLE]: 'the dead-letter topic takes no records: the message says why',
  [LaneCondition.SCHEMAS_UNAVAILABLE]: 'the schema registry gives no schemas: bring it back (docs/schema-registry.md)',
}
