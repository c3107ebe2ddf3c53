import type { UseCaseSeries } from '../../runtime/metrics/use-case-series.ts'
import type { AttemptLog } from '../record/attempt-log.ts'
import { type RangeLog, rangeKinds } from '../record/range-log.ts'
import type { UseCaseCounts } from './use-case-counts.ts'

/** Counts what goes to the log. */
export function meterAttempts<E>(
  attempts: Pick<AttemptLog<E>, 'add'>,
  series: UseCaseSeries<UseCaseCounts>,
): Pick<AttemptLog<E>, 'add'> {
  return {
    add(lane, row, owner, slot, entry) {
      const { uid, namespace, useCase } = lane.columns
      series.of(uid, namespace, useCase).value.row(row)
      attempts.add(lane, row, owner, slot, entry)
    },
  }
}

/** nameOf: by uid, of a use case that this worker holds lanes of. */
export function meterRanges<E>(
  ranges: Pick<RangeLog<E>, 'add'>,
  series: UseCaseSeries<UseCaseCounts>,
  nameOf: (uid: string) => { readonly namespace: string; readonly id: string } | undefined,
): Pick<RangeLog<E>, 'add'> {
  return {
    add(id, lane, epoch, kind, run, owner, slot) {
      const name = nameOf(id.uid)
      if (name !== undefined)
        series.of(id.uid, name.namespace, name.id).value.skipped[rangeKinds[kind]]! += run.last - run.first + 1
      ranges.add(id, lane, epoch, kind, run, owner, slot)
    },
  }
}
