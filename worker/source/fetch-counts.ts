import { Calls } from '../../runtime/metrics/calls.ts'

/** What the fetches of one Kafka cluster came to. */
export class FetchCounts {
  readonly calls = new Calls()
  bytes = 0
  records = 0
  /** Answers that said of a partition that it cannot be read now, by Kafka's name for why. */
  readonly refused = new Map<string, number>()

  refuse(error: string): void {
    this.refused.set(error, (this.refused.get(error) ?? 0) + 1)
  }
}
