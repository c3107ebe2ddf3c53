import { defaultDecodeLimits } from '../convert/decode/decode-limits.ts'
import { defaultJsonataLimits, Jsonata } from '../convert/jsonata/jsonata.ts'
import { connectClickHouse } from '../runtime/clickhouse.ts'
import { showToken } from '../runtime/control-plane-credentials.ts'
import { reachControlPlanes } from '../runtime/control-plane-tls.ts'
import { connectKafka } from '../runtime/kafka.ts'
import { createLog } from '../runtime/log.ts'
import { meterRedis } from '../runtime/metrics/redis-calls.ts'
import { connectRedis, onReconnected } from '../runtime/redis.ts'
import { type Running, runProcess } from '../runtime/run-process.ts'
import { spoolTopicOf } from '../runtime/settings.ts'
import { openTracing } from '../runtime/telemetry-settings.ts'
import { Clusters } from './clusters.ts'
import { readWorkerConfig, type WorkerConfig } from './config.ts'
import { drain } from './drain.ts'
import { startHealthListener } from './health-listener.ts'
import { HeldLanes } from './holdings.ts'
import type { Parked } from './lane/parked.ts'
import { meterInsert } from './metrics/metered-insert.ts'
import { meterAttempts, meterRanges } from './metrics/metered-logs.ts'
import { createWorkerMetrics } from './metrics/worker-metrics.ts'
import { RateReports } from './rate-reports.ts'
import { AttemptLog } from './record/attempt-log.ts'
import { InsertQueue } from './record/insert-queue.ts'
import { createInsert } from './record/log-insert.ts'
import { RangeLog } from './record/range-log.ts'
import { Routes } from './routes.ts'
import { openRegistries } from './schemas/open-registries.ts'
import { ControlPlaneClient } from './session/control-plane-client.ts'
import { Lease } from './session/lease.ts'
import { Session } from './session/session.ts'
import { openSpool } from './spool/open-spool.ts'
import { Ticker } from './ticker.ts'
import { AttemptTracing } from './trace/attempt-tracing.ts'
import { Trials } from './trial/trials.ts'

async function start(config: WorkerConfig): Promise<Running> {
  const log = createLog('worker', config.logLevel)
  const process = crypto.randomUUID()
  const redis = connectRedis(config.redisUrl, config.callTimeoutMs, log)
  const clickhouse = connectClickHouse(config.clickhouseUrl, config.clickhouseDatabase, config.insertTimeoutMs)
  const kafkas = config.clusters.map((each) => connectKafka(each, 'ferry-worker', KAFKA_TIMEOUT_MS, log))
  const clusters = new Clusters(kafkas, config, log)
  clusters.connect()
  const client = new ControlPlaneClient(config.controlPlane, config.callTimeoutMs, {
    ...{ interceptors: [showToken(config, log)], tls: reachControlPlanes(config, log) },
  })
  const inserts = meterInsert(createInsert(clickhouse, config.insertTimeoutMs))
  const { insert } = inserts
  const { client: kafka, side } = clusters.of(config.spoolCluster)!
  const spool = openSpool(spoolTopicOf(config), process, { kafka, side, redis, clickhouse, insert, log }, config)
  const { logBatchBytes: batchBytes, logBatchesMax, spoolAfterMs } = config
  const { windowRecords, intakeRecordsMax, bufferBytesMax, unstoredBytesMax } = config
  const queue = new InsertQueue(
    insert,
    spool.insert,
    { bytesMax: logBatchesMax * batchBytes, insertsMax: 2, spoolAfterMs, now: () => performance.now() },
    log,
    () => ticker.acknowledged(),
  )
  const registries = openRegistries(config.registries, defaultDecodeLimits, config.egress, log)
  const attempts = new AttemptLog<Parked>(queue, { instance: process, batchBytes })
  const ranges = new RangeLog<Parked>(queue, process)
  let requestId = 0
  const rates = new RateReports(log)
  const tracing = openTracing(config, 'worker', process)
  const redisCalls = meterRedis(redis)
  const metrics = createWorkerMetrics(
    () => ({
      ...{ held, inserts, queue, drain: spool.drain, registries, redis: redisCalls, heartbeats: session.heartbeats },
      ...{ queueBytesMax: logBatchesMax * batchBytes, windowRecords, intakeRecordsMax, bufferBytesMax, unstoredBytesMax },
      fetches: new Map(clusters.all.map(({ client: { name }, source }) => [name, source.fetches])),
      ...{ problems, hasLease, spans: tracing?.queue },
    }),
    config.metricsUseCasesMax,
  )
  const hasLease = (): boolean => session.maySend(performance.now(), Date.now())
  let isDraining = false
  const problems = (): string[] => [
    ...(isDraining ? ['this worker drains'] : []),
    ...(hasLease() ? [] : ['this worker has no lease: Redis does not answer']),
    ...(session.heard ? [] : ['no control plane has answered yet']),
  ]
  const planOf = (uid: string) => held.rosterOfUseCase(uid)?.route.plan
  const { jsonataTimeoutMs: timeoutMs, jsonataMemoryBytesMax: memoryBytesMax, jsonataProcesses: processes } = config
  const jsonata = new Jsonata({ ...defaultJsonataLimits, timeoutMs, memoryBytesMax, processes, log })
  const means = {
    limits: defaultDecodeLimits,
    schemas: (name: string) => registries.get(name),
    egress: config.egress,
    keys: config.secretKeys,
    jsonata,
  }
  const trials = new Trials({ client, clusters, means, log })
  const held: HeldLanes = new HeldLanes(
    {
      routes: new Routes((uids) => client.fetchUseCases(uids), means, log),
      keeper: {
        ...{ redis, clickhouse, log },
        attempts: meterAttempts(attempts, metrics.series),
        ranges: meterRanges(ranges, metrics.series, planOf),
        get instance() {
          return session.instance
        },
        nextRequestId: () => ++requestId,
        ...{ windowRecords, intakeRecordsMax, unstoredBytesMax, partitionBytesMax: config.partitionBytesMax },
        ...{ lookUpTimeoutMs: config.insertTimeoutMs, lookUpPatienceMs: config.lookUpPatienceMs },
        ...{ spool: spool.view, onUnlogged: metrics.unlogged },
        tracing: tracing && new AttemptTracing(tracing),
      },
      roster: {
        logIsOpen: () => attempts.open,
        logIsSpooling: () => queue.isSpooling,
        maySend: (now, nowMs) => session.maySend(now, nowMs),
        onLanded: metrics.landed,
        onRateLimited: (plan, text, ms, now) => {
          metrics.rateLimited(plan, ms)
          rates.waits(plan.name, text, now)
        },
      },
      ...{ clusters, log },
      hurry: () => session.hurry(),
    },
    { bufferBytesMax },
  )
  const session: Session = new Session(
    client,
    (instance) => new Lease(redis, instance, config.leaseMs),
    process,
    held,
    {
      ...{ description: config.description, startMs: Date.now(), intervalMs: config.heartbeatMs, completeEvery: 10 },
      lastWordsMs: config.logFlushMs + config.insertTimeoutMs,
      tryOut: (given) => trials.take(given),
    },
    log,
  )
  // After each reconnect: Redis may have lost its last writes, and an idle lane would never learn of it.
  onReconnected(redis, () => held.prove())
  const ticker: Ticker = new Ticker(
    { held, session, attempts, ranges, queue, spool: spool.view, clickhouse, clusters, log },
    config,
  )
  const health = await startHealthListener(config.httpAddress, metrics.registry, problems)
  session.start()
  ticker.start()
  spool.drain?.start()
  log.info({ instance: process, http: config.httpAddress, controlPlane: config.controlPlane }, 'worker: started')
  const stop = async (): Promise<void> => {
    isDraining = true
    log.info({}, 'worker: draining')
    const undrained = await drain(
      { held, session, logs: [attempts, ranges] },
      { timeoutMs: Math.max(0, config.stopTimeoutMs - STOP_MARGIN_MS), unheardMs: UNHEARD_MS },
    )
    await within(CLOSE_MS, ticker.stop())
    await session.stop(undrained.length === 0)
    for (const roster of held.rosters) roster.close()
    jsonata.close()
    await clusters.stop()
    await within(CLOSE_MS, spool.close())
    health.close()
    health.closeAllConnections()
    client.close()
    await within(CLOSE_MS, Promise.all([clusters.disconnect(), clickhouse.close(), tracing?.close()]))
    redis.disconnect()
    if (undrained.length > 0)
      throw new Error(
        `the worker is not drained; the next owners of these lanes ask the log, and send again what it does not have:\n${undrained.join('\n')}`,
      )
    log.info({}, 'worker: drained')
  }
  return { stopTimeoutMs: config.stopTimeoutMs, stop }
}

/** Longer than the longest fetch wait. */
const KAFKA_TIMEOUT_MS = 10_000
/** What is left of the time to stop when lanes have been waited for long enough. */
const STOP_MARGIN_MS = 5000
/** Without a control plane, nobody acknowledges what a draining worker has released. */
const UNHEARD_MS = 3000
const CLOSE_MS = 1000

const within = (ms: number, work: Promise<unknown>): Promise<unknown> =>
  Promise.race([work, new Promise((resolve) => setTimeout(resolve, ms).unref())])

await runProcess(async () => start(readWorkerConfig(process.env)))
