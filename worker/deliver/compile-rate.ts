import type { DeliveryPolicy } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { PlanError } from './plan-error.ts'
import { number, part } from './plan-values.ts'
import type { RatePlan } from './rate-limit.ts'

/** The whole limit of a use case; undefined when it has none. */
export function compileRate(delivery: DeliveryPolicy | undefined): RatePlan | undefined {
  if (delivery?.rateLimit === undefined) return undefined
  const field = 'spec.delivery.rate_limit'
  const { recordsPerSecond, bytesPerSecond } = part(field, delivery.rateLimit)
  if (recordsPerSecond === undefined && bytesPerSecond === undefined) throw new PlanError('MISSING', field, 'has no limit')
  const checked = (name: string, value: number | undefined): number | undefined =>
    value === undefined ? undefined : number(`${field}.${name}`, value, 0, Number.MIN_VALUE, Number.MAX_VALUE)
  return {
    recordsPerSecond: checked('records_per_second', recordsPerSecond),
    bytesPerSecond: checked('bytes_per_second', bytesPerSecond),
  }
}
