import type { ReconciliationFinding } from '../../proto/gen/ferry/v1/reconciliation_pb.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { packSlices } from '../attempts/offset-slices.ts'
import { RangeLog } from '../attempts/range-log.ts'
import { countPlanned, type VerifyPlan } from '../attempts/verify-plan.ts'
import { countPlan, type Verification, type VerifyLimits } from '../attempts/verify-range.ts'
import type { ExpectedWindow } from './expected-window.ts'

/** What was found beside what was reported. */
export interface Reconciled {
  readonly expected: ExpectedWindow
  readonly verified: Verification
  readonly findings: readonly Exclude<keyof typeof ReconciliationFinding, 'UNSPECIFIED'>[]
  readonly matches: boolean
  readonly keysKnown: number
  /** Of all records; undefined when keys of some are not known, or not asked for. */
  readonly keyChecksum: bigint | undefined
}

/** The plan of one window out of that of its whole topic. */
export function planOf(plan: VerifyPlan, { slices, topicId }: ExpectedWindow): VerifyPlan {
  const isOther = topicId !== '' && plan.topicId !== '' && topicId !== plan.topicId
  const changed = isOther ? new Set(slices.map(({ partition }) => partition)) : plan.changed
  return { ...plan, ranges: slices, changed }
}

/** Counts a window, and compares. Costs no more than its verification, and reads the keys only where they are compared. */
export async function reconcile(
  reader: LogReader,
  limits: VerifyLimits,
  plan: VerifyPlan,
  expected: ExpectedWindow,
): Promise<Reconciled> {
  const verified = await countPlan(reader, limits, plan)
  const { total } = verified
  const isAsked = expected.keyChecksum !== undefined && countPlanned(plan) > 0
  const keys = isAsked ? await addKeys(new RangeLog(reader, plan.subject, limits), limits, plan) : { records: 0, checksum: 0n }
  const isKnown = expected.keyChecksum !== undefined && keys.records === total.published
  const keyChecksum = isKnown ? keys.checksum : undefined
  const isCount = total.published === expected.count
  const findings: readonly (readonly [boolean, Reconciled['findings'][number]])[] = [
    [!isCount, 'COUNT_DIFFERS'],
    [isCount && isKnown && keys.checksum !== expected.keyChecksum, 'KEYS_DIFFER'],
    [expected.keyChecksum !== undefined && !isKnown, 'KEYS_UNKNOWN'],
    [total.failed > 0, 'FAILED'],
  ]
  const found = findings.filter(([holds]) => holds).map(([, name]) => name)
  return {
    ...{ expected, verified, findings: found, matches: verified.complete && found.length === 0 },
    ...{ keysKnown: keys.records, keyChecksum },
  }
}

const slicesMax = 1000

async function addKeys(log: RangeLog, { sliceOffsetsMax }: VerifyLimits, { ranges }: VerifyPlan) {
  let [records, checksum] = [0, 0n]
  for (const group of packSlices(ranges, sliceOffsetsMax, slicesMax)) {
    const some = await log.keys(group)
    records += some.records
    checksum = BigInt.asUintN(64, checksum + some.checksum)
  }
  return { records, checksum }
}
