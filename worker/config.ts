import { hostname } from 'node:os'
import { addresses, bytes, duration, readConfig, type Values, wholeNumber } from '../runtime/config.ts'
import { controlPlaneCredentials, findCredentialProblems } from '../runtime/control-plane-credentials.ts'
import { controlPlaneTls, findControlPlaneTlsProblems } from '../runtime/control-plane-tls.ts'
import { readKafkaClusters } from '../runtime/kafka-clusters.ts'
import { readSchemaRegistries } from '../runtime/schema-registries.ts'
import { address, connectionSettings, findSpoolProblems } from '../runtime/settings.ts'
import { findTraceProblems, telemetrySettings } from '../runtime/telemetry-settings.ts'

/** Everything that a worker reads from its environment. */
export const workerSettings = {
  controlPlane: addresses('FERRY_CONTROL_PLANE', {
    default: '127.0.0.1:7070',
    description: 'gRPC addresses of the control planes.',
  }),
  ...controlPlaneCredentials,
  ...controlPlaneTls,
  ...connectionSettings,
  httpAddress: address('FERRY_HTTP_ADDRESS', '127.0.0.1:7072', 'Where /metrics, /healthz and /readyz are served.'),
  leaseMs: duration('FERRY_LEASE', {
    default: '6s',
    minMs: 1000,
    maxMs: 300_000,
    description: 'A worker that does not renew its lease for so long has lost its lanes.',
  }),
  heartbeatMs: duration('FERRY_HEARTBEAT', {
    default: '1s',
    minMs: 100,
    maxMs: 60_000,
    description: 'Between heartbeats, and between renewals of the lease.',
  }),
  callTimeoutMs: duration('FERRY_CALL_TIMEOUT', {
    default: '3s',
    minMs: 100,
    maxMs: 60_000,
    description: 'Longest wait for the control plane and for Redis.',
  }),
  checkpointMs: duration('FERRY_CHECKPOINT', {
    default: '1s',
    minMs: 50,
    maxMs: 60_000,
    description: 'Between checkpoints of a lane that changes.',
  }),
  groupCommitMs: duration('FERRY_GROUP_COMMIT', {
    default: '10s',
    minMs: 100,
    maxMs: 3_600_000,
    description: 'Between commits of the floors to Kafka.',
  }),
  drainTimeoutMs: duration('FERRY_DRAIN_TIMEOUT', {
    default: '10s',
    minMs: 100,
    maxMs: 3_600_000,
    description: 'Requests that take longer are aborted when their lane moves.',
  }),
  stopTimeoutMs: duration('FERRY_STOP_TIMEOUT', {
    default: '60s',
    minMs: 1000,
    maxMs: 3_600_000,
    description: 'A worker that is not drained so long after SIGTERM ends with exit code 1.',
  }),
  insertTimeoutMs: duration('FERRY_INSERT_TIMEOUT', {
    default: '5s',
    minMs: 100,
    maxMs: 300_000,
    description: 'An insert into the log lives at most so long; shorter than FERRY_LEASE.',
  }),
  lookUpPatienceMs: duration('FERRY_LOOK_UP_PATIENCE', {
    default: '10s',
    minMs: 0,
    maxMs: 3_600_000,
    description:
      'How long a takeover waits for a log that does not answer, or that the spool is not drained into, before it goes on and may repeat records.',
  }),
  logFlushMs: duration('FERRY_LOG_FLUSH', {
    default: '500ms',
    minMs: 20,
    maxMs: 60_000,
    description: 'Longest time that attempt rows wait for company.',
  }),
  logBatchBytes: bytes('FERRY_LOG_BATCH_BYTES', {
    default: '4MiB',
    min: 65_536,
    max: 256 << 20,
    description: 'Attempt rows are inserted when they are so many bytes.',
  }),
  logBatchesMax: wholeNumber('FERRY_LOG_BATCHES_MAX', {
    default: '12',
    min: 2,
    max: 1000,
    description: 'Batches in memory while ClickHouse is away; then the spool takes them, or nothing is sent.',
  }),
  spoolAfterMs: duration('FERRY_SPOOL_AFTER', {
    default: '5s',
    minMs: 100,
    maxMs: 3_600_000,
    description: 'When ClickHouse has taken nothing for so long, attempt rows go into the spool.',
  }),
  spoolLookMs: duration('FERRY_SPOOL_LOOK', {
    default: '2s',
    minMs: 50,
    maxMs: 3_600_000,
    description: 'Between two looks whether the spool has something for ClickHouse.',
  }),
  windowRecords: wholeNumber('FERRY_WINDOW_RECORDS', {
    default: '16384',
    min: 16,
    max: 1 << 20,
    description: 'Records of a lane between its cursor and its newest request; a power of two.',
  }),
  intakeRecordsMax: wholeNumber('FERRY_INTAKE_RECORDS_MAX', {
    default: '4096',
    min: 1,
    max: 1 << 20,
    description: 'Fetched records of a lane that may wait for a request slot.',
  }),
  bufferBytesMax: bytes('FERRY_BUFFER_BYTES_MAX', {
    default: '64MiB',
    min: 1 << 20,
    max: 2 ** 36,
    description: 'Fetched bytes that may wait in memory, over all lanes.',
  }),
  unstoredBytesMax: bytes('FERRY_UNSTORED_BYTES_MAX', {
    default: '4MiB',
    min: 65_536,
    max: 2 ** 32,
    description: 'Parked bytes of a lane that Redis does not have yet; above, nothing new is sent.',
  }),
  jsonataTimeoutMs: duration('FERRY_JSONATA_TIMEOUT', {
    default: '1s',
    minMs: 10,
    maxMs: 60_000,
    description: 'One evaluation of a JSONata step may take so long; then its record has failed.',
  }),
  jsonataMemoryBytesMax: bytes('FERRY_JSONATA_MEMORY_MAX', {
    default: '128MiB',
    min: 32 << 20,
    max: 2 ** 32,
    description: 'Heap of a process that evaluates JSONata; an evaluation that needs more fails its record.',
  }),
  jsonataProcesses: wholeNumber('FERRY_JSONATA_PROCESSES', {
    default: '1',
    min: 1,
    max: 64,
    description: 'Processes of a worker that evaluate JSONata; they start when they are needed.',
  }),
  fetchWaitMs: duration('FERRY_FETCH_WAIT', {
    default: '200ms',
    minMs: 10,
    maxMs: 5000,
    description: 'Longest wait of a Kafka fetch for new records.',
  }),
  fetchBytesMax: bytes('FERRY_FETCH_BYTES_MAX', {
    default: '4MiB',
    min: 65_536,
    max: 256 << 20,
    description: 'Bytes of one Kafka fetch, over all partitions of a broker.',
  }),
  partitionBytesMax: bytes('FERRY_PARTITION_BYTES_MAX', {
    default: '1MiB',
    min: 1024,
    max: 64 << 20,
    description: 'Bytes of one partition in a Kafka fetch.',
  }),
  ...telemetrySettings,
}

export type WorkerConfig = ReturnType<typeof readWorkerConfig>

export function readWorkerConfig(env: Record<string, string | undefined>) {
  const { clusters, problems } = readKafkaClusters(env)
  const { registries, problems: registryProblems } = readSchemaRegistries(env)
  const check = (values: Values<typeof workerSettings>): readonly string[] => [
    ...findSpoolProblems(values),
    ...findTraceProblems(values),
    ...findCredentialProblems(values),
    ...findControlPlaneTlsProblems(values, 'set FERRY_CONTROL_PLANE_TLS=on'),
    ...(values.insertTimeoutMs < values.leaseMs
      ? []
      : [`FERRY_INSERT_TIMEOUT (${values.insertTimeoutMs} ms) must be shorter than FERRY_LEASE (${values.leaseMs} ms)`]),
    ...((values.windowRecords & (values.windowRecords - 1)) === 0
      ? []
      : [`FERRY_WINDOW_RECORDS=${values.windowRecords}: must be a power of two`]),
    ...(values.heartbeatMs * 2 < values.leaseMs
      ? []
      : [`FERRY_HEARTBEAT (${values.heartbeatMs} ms) must be less than half of FERRY_LEASE (${values.leaseMs} ms)`]),
  ]
  const config = readConfig(workerSettings, env, check, [...problems, ...registryProblems])
  return { ...config, clusters, registries, description: `${hostname()} pid ${process.pid}` }
}
