import type { UseCase } from '../proto/gen/ferry/v1/use_case_pb.ts'
import type { ClickHouseClient } from '../runtime/clickhouse.ts'
import type { Logger } from '../runtime/log.ts'
import type { Redis } from '../runtime/redis.ts'
import { ferryVersion } from '../runtime/version.ts'
import { LeaderLoop } from './attempts/leader-loop.ts'
import type { LogReader, ReadLimits } from './attempts/log-reader.ts'
import type { VerifiedTopic } from './attempts/topic-offsets.ts'
import type { VerifySources } from './attempts/verify-plan.ts'
import type { VerifyLimits } from './attempts/verify-range.ts'
import type { ControlPlaneConfig } from './config.ts'
import type { Fleet } from './fleet/fleet.ts'
import { ExpectedLog } from './verifications/expected-log.ts'
import { Reconciliations } from './verifications/reconciliations.ts'
import { VerificationRunner } from './verifications/run-verifications.ts'
import { verificationKeys } from './verifications/verification-keys.ts'
import { VerificationStore } from './verifications/verification-store.ts'
import { Verifications } from './verifications/verifications.ts'

export interface VerificationParts {
  readonly log: LogReader
  readonly clickhouse: ClickHouseClient
  readonly redis: Redis
  readonly source: VerifiedTopic
  readonly spool: VerifySources['spool']
  /** Of one question to the log. */
  readonly limits: ReadLimits
  readonly registry: {
    get(name: string): Promise<UseCase>
    getByUid(uid: string): Promise<UseCase | undefined>
  }
  readonly fleet: Pick<Fleet, 'lead'>
  readonly logger: Logger
}

/** So many offsets are counted with one question to the log. */
const sliceOffsetsMax = 2_000_000

/** Verifications, who counts them on the leader, and the limits of those that are counted in a call. */
export function openVerifications(config: ControlPlaneConfig, parts: VerificationParts) {
  const { log, clickhouse, redis, source: offsets, spool, registry, fleet, logger } = parts
  const sources = { log, redis, offsets, spool }
  const { verificationsMax: openMax, verificationsKeptMax: keptMax, verificationsKeptMs: keptMs } = config
  const limits: VerifyLimits = { ...parts.limits, sliceOffsetsMax, offsetsMax: config.verifyOffsetsMax }
  const store = new VerificationStore({ redis, keys: verificationKeys(), openMax, keptMax, keptMs })
  const useCase = (name: string) => registry.get(name)
  const lead = () => fleet.lead()
  const runner = new VerificationRunner({
    ...{ store, sources, limits, lead, ferryVersion, keys: config.certificateKeys },
    useCaseByUid: (uid) => registry.getByUid(uid),
    ...{ atOnce: config.verificationsAtOnce, timeoutMs: config.verificationTimeoutMs },
    ...{ progressIntervalMs: 1000, retryMs: 5000, nowMs: Date.now, log: logger },
  })
  const step = () => runner.step()
  const loop = new LeaderLoop({ name: 'verifications', lead, intervalMs: 500, retryMsMax: 10_000, step, log: logger })
  const stop = async (): Promise<void> => {
    await loop.stop()
    await runner.stop()
  }
  const api = new Verifications({ store, offsets, useCase, keptMs, nowMs: Date.now })
  const expected = new ExpectedLog(clickhouse, log, config.clickhouseTimeoutMs)
  const windowsMax = config.expectedWindowsMax
  const reconciliations = new Reconciliations({ expected, sources, limits, useCase, windowsMax, nowMs: Date.now })
  return { api, reconciliations, limits, start: () => loop.start(), stop }
}
