import { DeliveryService } from '../proto/gen/ferry/v1/delivery_service_pb.ts'
import { FleetService } from '../proto/gen/ferry/v1/fleet_service_pb.ts'
import { ReplayService } from '../proto/gen/ferry/v1/replay_service_pb.ts'
import { RetryBatchService } from '../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { TokenService } from '../proto/gen/ferry/v1/token_service_pb.ts'
import { UseCaseService } from '../proto/gen/ferry/v1/use_case_service_pb.ts'
import { VerificationService } from '../proto/gen/ferry/v1/verification_service_pb.ts'
import { WorkerService } from '../proto/gen/ferry/v1/worker_service_pb.ts'
import { connectClickHouse } from '../runtime/clickhouse.ts'
import { connectKafka, openCluster } from '../runtime/kafka.ts'
import type { KafkaClusterConfig } from '../runtime/kafka-clusters.ts'
import { splitUid } from '../runtime/lane-keys.ts'
import { createLog, type Logger } from '../runtime/log.ts'
import { meterRedis } from '../runtime/metrics/redis-calls.ts'
import { connectRedis } from '../runtime/redis.ts'
import { type Running, runProcess } from '../runtime/run-process.ts'
import { spoolTopicOf } from '../runtime/settings.ts'
import { openTracing } from '../runtime/telemetry-settings.ts'
import { advertisedAddress, hostAndPort, withPort } from './address.ts'
import { deliveryService } from './api/delivery-service.ts'
import { fleetService } from './api/fleet-service.ts'
import { previewMethods } from './api/preview-methods.ts'
import { selfCheckingDeliveryMethods } from './api/query-methods.ts'
import { replayService, selfCheckingReplayMethods } from './api/replay-service.ts'
import { retryBatchService, selfCheckingRetryBatchMethods } from './api/retry-batch-service.ts'
import { tokenService } from './api/token-service.ts'
import { selfCheckingMethods, useCaseService } from './api/use-case-service.ts'
import { verificationService } from './api/verification-service.ts'
import { withLanes } from './api/with-lanes.ts'
import { type WorkerDefinitions, workerService } from './api/worker-service.ts'
import { LogReader } from './attempts/log-reader.ts'
import { checkRedisSettings } from './check-redis.ts'
import { type ControlPlaneConfig, fleetTimings, readControlPlaneConfig, serveLimits } from './config.ts'
import { awaitLanes } from './fleet/await-lanes.ts'
import { Fleet } from './fleet/fleet.ts'
import { fleetKeys } from './fleet/fleet-keys.ts'
import { Grants } from './fleet/grants.ts'
import { LaneLog } from './fleet/lane-log.ts'
import { LaneStore } from './fleet/lane-store.ts'
import { LeaderClient } from './fleet/leader-client.ts'
import { TopicSource } from './fleet/topic-source.ts'
import { within } from './fleet/within.ts'
import { openAccess } from './open-access.ts'
import { openLeaderLoops } from './open-leader-loops.ts'
import { openMetrics } from './open-metrics.ts'
import { openReplays } from './open-replays.ts'
import { openRetryBatches } from './open-retry-batches.ts'
import { openStartSteps } from './open-start-steps.ts'
import { openUseCases, type UseCases } from './open-use-cases.ts'
import { openVerifications } from './open-verifications.ts'
import { tailOptions } from './query-settings.ts'
import { type ServeHandle, serve } from './serve/serve.ts'
import { Spool } from './spool/spool.ts'
import { Outbox } from './store/outbox.ts'
import { StoreError } from './store/store-error.ts'
import { openServerTls, reachLeader } from './tls-settings.ts'
import { Trials } from './trials/trials.ts'

/** A page of a list ends before it grows above this. */
const pageBytesMax = 3 << 20
const samplesPrefix = 'ferry:{control}:lag:'

/** Connections come by themselves, now or later; nothing here waits for one. */
function connect(config: ControlPlaneConfig, log: Logger) {
  const redis = connectRedis(config.redisUrl, config.redisTimeoutMs, log)
  const redisCalls = meterRedis(redis)
  redis.on('ready', () => void checkRedisSettings(redis, log))
  const clickhouse = connectClickHouse(config.clickhouseUrl, config.clickhouseDatabase, config.clickhouseTimeoutMs)
  const open = (each: KafkaClusterConfig) => openCluster(connectKafka(each, 'ferry-control-plane', config.kafkaTimeoutMs, log))
  const source = new TopicSource(new Map(config.clusters.map((each) => [each.name, open(each)])), config.kafkaTimeoutMs)
  const { spoolPartitions: partitions, spoolReplication: replication, spoolMessageBytesMax: messageBytesMax } = config
  const spool = new Spool({
    ...{ source, cluster: config.spoolCluster, topic: spoolTopicOf(config) },
    ...{ partitions, replication, messageBytesMax },
  })
  return { redis, redisCalls, clickhouse, source, spool }
}
type Connections = ReturnType<typeof connect>

/** Lanes and workers: what is. */
function openFleet(
  config: ControlPlaneConfig,
  { redis, clickhouse, source }: Connections,
  { registry, lifecycle, replays: { definitions } }: UseCases,
  address: () => string,
  log: Logger,
): Fleet {
  const keys = fleetKeys()
  return new Fleet({
    ...{ redis, keys, source, log, address },
    replica: crypto.randomUUID(),
    leaseMs: config.leaderLeaseMs,
    store: new LaneStore(redis),
    laneLog: new LaneLog(clickhouse, config.clickhouseTimeoutMs),
    grants: new Grants(redis, keys),
    useCases: {
      all: async () => [...(await registry.all()).values(), ...(await definitions.all())],
      resumeExpired: () => lifecycle.resumeExpired(),
      pauseByAnswer: (uid, revision, reason) => lifecycle.pauseByAnswer(splitUid(uid).uid, revision, reason),
      finishDelete: (uid) => (splitUid(uid).replay === '' ? lifecycle.finishDelete(uid) : definitions.finished(uid)),
    },
    timings: fleetTimings(config),
    monotonicMs: () => performance.now(),
    wallMs: Date.now,
    listTimeoutMs: 3000,
  })
}

/** Everything that this process is made of, connected and not started. */
function open(config: ControlPlaneConfig, address: () => string, log: Logger) {
  const connections = connect(config, log)
  const useCases = openUseCases(config, connections)
  const fleet = openFleet(config, connections, useCases, address, log)
  const access = openAccess(config, connections.redis, useCases.keys)
  const leader = new LeaderClient({
    ...{ leaderAddress: () => fleet.leaderAddress, timeoutMs: config.forwardTimeoutMs, whoCalls: access.whoCalls },
    tls: reachLeader(config, log),
  })
  const { queryTimeoutMs: executionTimeoutMs, queryRowsMax: rowsToReadMax, queryGroupBytesMax: groupBytesMax } = config
  const limits = { executionTimeoutMs, rowsToReadMax, groupBytesMax }
  const reader = new LogReader(connections.clickhouse, limits)
  const { batches, runner } = openRetryBatches(config, { ...connections, ...useCases, log: reader, fleet, logger: log })
  const replays = openReplays({ ...connections, ...useCases, ...useCases.replays, log: reader, fleet, logger: log })
  const { loops: others, lags } = openLeaderLoops({ ...connections, ...useCases, samplesPrefix, runner, fleet, log })
  const loops = [...others, replays.loop]
  const outbox = new Outbox({
    ...{ redis: connections.redis, keys: useCases.keys, auditLog: useCases.auditLog, log, term: () => fleet.lead()?.term },
    ...{ batchEntriesMax: 1000, batchBytesMax: 4 << 20, intervalMs: 500, retryMsMax: 10_000 },
  })
  let migrationsApplied = 0
  const onMigrated = (names: readonly string[]): void => {
    migrationsApplied += names.length
  }
  const steps = openStartSteps(config, { ...connections, keys: useCases.keys, onMigrated }, log)
  const trials = new Trials({ openMax: config.trialsMax, replyBytesMax: 4 << 20 })
  const verifications = openVerifications(config, { ...connections, log: reader, limits, fleet, logger: log, ...useCases })
  const problems = (): string[] => [...steps.problems(), ...fleet.problems()]
  const tracing = openTracing(config, 'control-plane', crypto.randomUUID())
  const measured = {
    spans: tracing?.queue,
    connections,
    fleet,
    loops,
    lags,
    outbox,
    reader,
    runner,
    problems,
    migrationsApplied: () => migrationsApplied,
  }
  const loose = {
    access,
    tracing,
    trials,
    batches,
    verifications,
    problems,
    replays: replays.api,
    ...openMetrics(measured, config.metricsUseCasesMax),
  }
  return { ...loose, connections, useCases, fleet, leader, reader, loops, outbox, steps }
}
type Parts = ReturnType<typeof open>

async function listen(config: ControlPlaneConfig, parts: Parts, log: Logger): Promise<ServeHandle> {
  const { access, connections, useCases, fleet, leader, reader, batches, trials, verifications, replays } = parts
  const { redis, source, spool } = connections
  const deliveries = deliveryService({
    ...{ log: reader, redis, offsets: source, spool, samplesPrefix, nowMs: Date.now },
    useCase: (name) => useCases.registry.get(name),
    ...tailOptions(config),
    pageLimits: { pageBytesMax },
    operatorLog: useCases.operatorLog,
    ...{ verifyLimits: verifications.limits, fleet, leader, inboxMax: config.inboxMax },
  })
  return serve({
    services: [
      [UseCaseService, announced(config, parts)],
      [WorkerService, workerService(fleet, leader, definitionsOf(useCases), trials)],
      [FleetService, fleetService(fleet, leader, { log: reader, pageBytesMax, operatorLog: useCases.operatorLog })],
      [DeliveryService, deliveries],
      [RetryBatchService, retryBatchService(batches)],
      [ReplayService, replayService(replays, config.egress)],
      [TokenService, tokenService(access.tokens)],
      [VerificationService, verificationService(verifications.api, verifications.reconciliations, config.certificateKeys)],
    ],
    selfChecking: [
      ...[...selfCheckingMethods, ...selfCheckingDeliveryMethods],
      ...[...selfCheckingRetryBatchMethods, ...selfCheckingReplayMethods],
    ],
    grpc: hostAndPort(config.grpcAddress),
    http: hostAndPort(config.httpAddress),
    ready: parts.problems,
    limits: serveLimits(config),
    reflection: config.reflection === 'on',
    ...{ registry: parts.metrics.registry, calls: parts.calls, tracing: parts.tracing, log, gate: access.gate },
    tls: openServerTls(config, log),
  })
}

/** What workers fetch: use cases, and replays by uids of their own. */
const definitionsOf = ({ registry, replays: { definitions } }: UseCases): WorkerDefinitions => ({
  getByUid: async (uid) => (await definitions.getByUid(uid)) ?? registry.getByUid(uid),
  withDescriptorSet: (useCase) => registry.withDescriptorSet(useCase),
})

async function stop(config: ControlPlaneConfig, parts: Parts, server: ServeHandle, log: Logger): Promise<void> {
  const { connections, fleet, leader, loops, outbox, steps, verifications } = parts
  const { stopTimeoutMs } = config
  log.info({}, 'control plane: stopping')
  steps.stop()
  // Another replica leads at once; calls on the way end meanwhile.
  const ended = Promise.all([fleet.stop(), outbox.stop(), verifications.stop(), ...loops.map((loop) => loop.stop())])
  await Promise.all([
    server.stop(stopTimeoutMs),
    within(ended, stopTimeoutMs, 'ending what is on its way').catch((error: unknown) =>
      log.warn({ error: String(error) }, 'control plane: what was on its way is cut off'),
    ),
  ])
  leader.close()
  connections.redis.disconnect()
  await Promise.all([
    within(connections.source.close(), 1000, 'disconnecting from Kafka').catch(() => {}),
    connections.clickhouse.close(),
    within(Promise.resolve(parts.tracing?.close()), 1000, 'sending the last spans').catch(() => {}),
  ])
  log.info({}, 'control plane: stopped')
}

async function start(config: ControlPlaneConfig): Promise<Running> {
  const log = createLog('control-plane', config.logLevel)
  let grpcPort: number | undefined
  const parts = open(config, () => advertisedAddress(config.advertisedAddress, config.grpcAddress, grpcPort), log)
  const server = await listen(config, parts, log)
  grpcPort = server.grpcPort
  const grpc = withPort(config.grpcAddress, grpcPort)
  log.info({ grpc, http: withPort(config.httpAddress, server.httpPort) }, 'control plane: serving')
  if (parts.access.gate.isOpen)
    log.warn({}, 'control plane: nobody is asked who they are, so only loopback is served; see FERRY_ADMIN_TOKEN_SHA256')
  else if (config.tlsCertificateFile === '')
    log.warn({}, 'control plane: tokens travel in plain text, unless a proxy or a mesh does TLS; see FERRY_TLS_CERTIFICATE_FILE')
  parts.fleet.start()
  parts.outbox.start()
  parts.verifications.start()
  for (const loop of parts.loops) loop.start()
  // A failure that trying again cannot mend ends the process.
  void parts.steps.run((error) => error instanceof StoreError && error.code === 'MIGRATION_CHANGED')
  return { stopTimeoutMs: config.stopTimeoutMs + 2000, stop: () => stop(config, parts, server, log) }
}

function announced(config: ControlPlaneConfig, { connections, useCases, fleet, leader, trials }: Parts) {
  const { registry, lifecycle, operatorLog } = useCases
  const lanes = { source: connections.source, store: new LaneStore(connections.redis) }
  const previews = previewMethods({ registry, fleet, leader, trials, operatorLog, timeoutMs: config.trialTimeoutMs })
  return withLanes(useCaseService(registry, lifecycle, previews), {
    changed: () => fleet.lookAtUseCases(),
    registered: (useCase) => awaitLanes(useCase, lanes, config.createTimeoutMs),
  })
}

await runProcess(async () => start(readControlPlaneConfig(process.env)))
