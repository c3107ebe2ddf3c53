import { bytes, ConfigError, duration, readConfig, text, type Values, wholeNumber } from '../runtime/config.ts'
import { readKafkaClusters } from '../runtime/kafka-clusters.ts'
import { readSchemaRegistries } from '../runtime/schema-registries.ts'
import { address, connectionSettings, findSpoolProblems } from '../runtime/settings.ts'
import { findTraceProblems, telemetrySettings } from '../runtime/telemetry-settings.ts'
import { accessSettings, findOpenProblems } from './access-settings.ts'
import { querySettings } from './query-settings.ts'
import { findTlsProblems, tlsSettings } from './tls-settings.ts'
import { readCertificateSettings, verificationSettings } from './verifications/verification-settings.ts'

/** Everything that a control plane reads from its environment. */
export const controlPlaneSettings = {
  ...connectionSettings,
  grpcAddress: address(
    'FERRY_GRPC_ADDRESS',
    '127.0.0.1:7070',
    'Where gRPC is served. Anything but loopback needs FERRY_ADMIN_TOKEN_SHA256.',
  ),
  httpAddress: address(
    'FERRY_HTTP_ADDRESS',
    '127.0.0.1:7071',
    'Where the same services are served as JSON over HTTP, with /healthz, /readyz and /metrics. Anything but loopback needs FERRY_ADMIN_TOKEN_SHA256.',
  ),
  ...accessSettings,
  ...tlsSettings,
  advertisedAddress: text('FERRY_ADVERTISED_ADDRESS', {
    default: '',
    pattern: /^(|(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9._-]+):\d{1,5})$/,
    form: 'an address as host:port, or empty',
    description: 'Where the other replicas reach this one by gRPC. Empty: the host and the port of FERRY_GRPC_ADDRESS.',
  }),
  leaderLeaseMs: duration('FERRY_LEADER_LEASE', {
    default: '5s',
    minMs: 500,
    maxMs: 60_000,
    description: 'A leader that dies is followed by another after at most so long and a third.',
  }),
  heartbeatIntervalMs: duration('FERRY_HEARTBEAT_INTERVAL', {
    default: '1s',
    minMs: 50,
    maxMs: 10_000,
    description: 'Between two heartbeats of a worker.',
  }),
  heartbeatTimeoutMs: duration('FERRY_HEARTBEAT_TIMEOUT', {
    default: '3s',
    minMs: 100,
    maxMs: 60_000,
    description: 'A worker that is silent for so long loses its lanes as soon as its lease is over.',
  }),
  gatherMs: duration('FERRY_GATHER_TIME', {
    default: '500ms',
    minMs: 0,
    maxMs: 60_000,
    description: 'So long after the first worker has come, lanes wait for others to come too.',
  }),
  movesMax: wholeNumber('FERRY_MOVES_MAX', {
    default: '32',
    min: 1,
    max: 10_000,
    description: 'Lanes that may be on their way from one worker to another at once. Lanes of workers that leave do not count.',
  }),
  workersMax: wholeNumber('FERRY_WORKERS_MAX', {
    default: '1000',
    min: 1,
    max: 100_000,
    description: 'Workers that may be there at once; the heartbeats of others are refused.',
  }),
  lanesPerWorkerMax: wholeNumber('FERRY_LANES_PER_WORKER_MAX', {
    default: '5000',
    min: 1,
    max: 100_000,
    description: 'Lanes that one worker may hold; what does not fit waits until another worker comes.',
  }),
  partitionsIntervalMs: duration('FERRY_PARTITIONS_INTERVAL', {
    default: '5s',
    minMs: 100,
    maxMs: 3_600_000,
    description: "Between two looks at a topic's partitions.",
  }),
  useCasesIntervalMs: duration('FERRY_USE_CASES_INTERVAL', {
    default: '1s',
    minMs: 50,
    maxMs: 60_000,
    description: 'After so long at most the leader sees a change of a definition that another replica accepted.',
  }),
  redisTimeoutMs: duration('FERRY_REDIS_TIMEOUT', {
    default: '2s',
    minMs: 100,
    maxMs: 60_000,
    description: 'A Redis command that takes longer has failed.',
  }),
  kafkaTimeoutMs: duration('FERRY_KAFKA_TIMEOUT', {
    default: '5s',
    minMs: 500,
    maxMs: 60_000,
    description: 'A question to Kafka that takes longer has failed.',
  }),
  clickhouseTimeoutMs: duration('FERRY_CLICKHOUSE_TIMEOUT', {
    default: '10s',
    minMs: 1000,
    maxMs: 300_000,
    description: 'An insert or a query of the control plane that takes longer has failed.',
  }),
  ...querySettings,
  ...verificationSettings,
  retryBatchesMax: wholeNumber('FERRY_RETRY_BATCHES_MAX', {
    default: '100',
    min: 1,
    max: 10_000,
    description: 'Retry batches that may be open at once.',
  }),
  retryBatchesKeptMax: wholeNumber('FERRY_RETRY_BATCHES_KEPT_MAX', {
    default: '1000',
    min: 1,
    max: 100_000,
    description: 'Retry batches of a use case that are remembered; older ones that have ended are forgotten.',
  }),
  replaysMax: wholeNumber('FERRY_REPLAYS_MAX', {
    default: '20',
    min: 1,
    max: 1000,
    description: 'Replays that may run at once. Each has a lane for each of its partitions.',
  }),
  replaysKeptMax: wholeNumber('FERRY_REPLAYS_KEPT_MAX', {
    default: '100',
    min: 1,
    max: 100_000,
    description: 'Replays of a use case that are remembered; older ones that have ended are forgotten.',
  }),
  inboxMax: wholeNumber('FERRY_INBOX_MAX', {
    default: '10000',
    min: 1,
    max: 1_000_000,
    description: "Deliveries of retry batches that may wait in a lane's inbox.",
  }),
  forwardTimeoutMs: duration('FERRY_FORWARD_TIMEOUT', {
    default: '3s',
    minMs: 100,
    maxMs: 60_000,
    description: 'A call that this replica hands to the leader and that takes longer has failed.',
  }),
  trialTimeoutMs: duration('FERRY_TRIAL_TIMEOUT', {
    default: '30s',
    minMs: 1000,
    maxMs: 110_000,
    description: 'Longest wait of Preview and Test for a worker and its answer.',
  }),
  trialsMax: wholeNumber('FERRY_TRIALS_MAX', {
    default: '32',
    min: 1,
    max: 1000,
    description: 'Previews and tests that may be on their way at once.',
  }),
  useCasesMax: wholeNumber('FERRY_USE_CASES_MAX', {
    default: '10000',
    min: 1,
    max: 1_000_000,
    description: 'Use cases that may exist.',
  }),
  useCasesPerNamespaceMax: wholeNumber('FERRY_USE_CASES_PER_NAMESPACE_MAX', {
    default: '10000',
    min: 1,
    max: 1_000_000,
    description: 'Use cases that may exist in one namespace.',
  }),
  descriptorSetsMax: wholeNumber('FERRY_DESCRIPTOR_SETS_MAX', {
    default: '1000',
    min: 1,
    max: 100_000,
    description:
      'Different descriptor sets and Avro schemas that may be kept, of at most 1 MiB each; use cases with the same one share it.',
  }),
  outboxEntriesMax: wholeNumber('FERRY_OUTBOX_ENTRIES_MAX', {
    default: '10000',
    min: 1,
    max: 1_000_000,
    description: 'Changes that may wait for ClickHouse to take them into the audit; then further changes are refused.',
  }),
  spoolPartitions: wholeNumber('FERRY_SPOOL_PARTITIONS', {
    default: '3',
    min: 1,
    max: 1000,
    description: "Partitions of the spool's topic when the control plane creates it; so many workers drain it side by side.",
  }),
  spoolReplication: wholeNumber('FERRY_SPOOL_REPLICATION', {
    default: '0',
    min: 0,
    max: 100,
    description:
      "Replicas of the spool's topic when the control plane creates it. 0: as many as Kafka's default.replication.factor.",
  }),
  spoolMessageBytesMax: bytes('FERRY_SPOOL_MESSAGE_BYTES_MAX', {
    default: '16MiB',
    min: 1 << 20,
    max: 64 << 20,
    description:
      "max.message.bytes of the spool's topic when the control plane creates it: more than FERRY_LOG_BATCH_BYTES and than any attempt's row.",
  }),
  requestBytesMax: bytes('FERRY_REQUEST_BYTES_MAX', {
    default: '16MiB',
    min: 2 << 20,
    max: 256 << 20,
    description: 'A call with a longer request is refused. A complete heartbeat of 50,000 lanes has some 8 MiB.',
  }),
  connectionsMax: wholeNumber('FERRY_CONNECTIONS_MAX', {
    default: '2000',
    min: 1,
    max: 100_000,
    description: 'Connections at once to each of the two addresses; more are closed as they come.',
  }),
  callsPerConnectionMax: wholeNumber('FERRY_CALLS_PER_CONNECTION_MAX', {
    default: '1000',
    min: 1,
    max: 100_000,
    description: 'Calls at once on one gRPC connection; more wait at the client.',
  }),
  callsPerServiceMax: wholeNumber('FERRY_CALLS_PER_SERVICE_MAX', {
    default: '1000',
    min: 1,
    max: 100_000,
    description: 'Calls of one service at once, over all connections; more are refused.',
  }),
  callTimeoutMs: duration('FERRY_CALL_TIMEOUT_MAX', {
    default: '2m',
    minMs: 1000,
    maxMs: 3_600_000,
    description: 'No call runs longer, whatever deadline its caller gave.',
  }),
  createTimeoutMs: duration('FERRY_CREATE_TIMEOUT', {
    default: '2s',
    minMs: 0,
    maxMs: 60_000,
    description: 'A creation is answered at the latest after so long, also when where its lanes start is not written down yet.',
  }),
  migrationTimeoutMs: duration('FERRY_MIGRATION_TIMEOUT', {
    default: '1m',
    minMs: 1000,
    maxMs: 3_600_000,
    description:
      'A statement that brings the tables of ClickHouse to this release and takes longer has failed, and is tried again.',
  }),
  vanishedGraceMs: duration('FERRY_VANISHED_GRACE', {
    default: '1m',
    minMs: 0,
    maxMs: 86_400_000,
    description: 'Lanes of a use case that Redis has lost go on for so long, until it is restored from the audit.',
  }),
  stopTimeoutMs: duration('FERRY_STOP_TIMEOUT', {
    default: '10s',
    minMs: 500,
    maxMs: 300_000,
    description: 'After SIGTERM, calls that are on their way have so long to end.',
  }),
  ...telemetrySettings,
} as const

export type ControlPlaneConfig = ReturnType<typeof readControlPlaneConfig>

/** Throws ConfigError with every problem. */
export function readControlPlaneConfig(env: Record<string, string | undefined>) {
  const { clusters, problems } = readKafkaClusters(env)
  const { registries, problems: registryProblems } = readSchemaRegistries(env)
  const check = (values: Values<typeof controlPlaneSettings>): readonly string[] => [
    ...findSpoolProblems(values),
    ...findTraceProblems(values),
    ...findOpenProblems(values),
    ...findTlsProblems(values),
    ...(values.heartbeatIntervalMs * 2 <= values.heartbeatTimeoutMs
      ? []
      : [
          `FERRY_HEARTBEAT_INTERVAL (${values.heartbeatIntervalMs} ms) must be at most half of FERRY_HEARTBEAT_TIMEOUT (${values.heartbeatTimeoutMs} ms)`,
        ]),
  ]
  const values = readConfig(controlPlaneSettings, env, check, [...problems, ...registryProblems])
  const { keys: certificateKeys, problems: keyProblems } = readCertificateSettings(values)
  if (keyProblems.length > 0) throw new ConfigError(keyProblems)
  return { ...values, clusters, registries, certificateKeys }
}

export const fleetTimings = (config: ControlPlaneConfig) => ({
  heartbeatIntervalMs: config.heartbeatIntervalMs,
  heartbeatTimeoutMs: config.heartbeatTimeoutMs,
  hurryIntervalMs: Math.min(200, config.heartbeatIntervalMs),
  gatherMs: config.gatherMs,
  movesMax: config.movesMax,
  workersMax: config.workersMax,
  lanesPerWorkerMax: config.lanesPerWorkerMax,
  expelledForMs: 3_600_000,
  stepIntervalMs: 500,
  useCasesIntervalMs: config.useCasesIntervalMs,
  partitionsIntervalMs: config.partitionsIntervalMs,
  vanishedGraceMs: config.vanishedGraceMs,
})

export const serveLimits = (config: ControlPlaneConfig) => ({
  requestBytesMax: config.requestBytesMax,
  connectionsMax: config.connectionsMax,
  callsPerConnectionMax: config.callsPerConnectionMax,
  callsPerServiceMax: config.callsPerServiceMax,
  callTimeoutMs: config.callTimeoutMs,
})
