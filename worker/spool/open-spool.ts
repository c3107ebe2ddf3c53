import type { KafkaClient, OpenCluster } from '../../runtime/kafka.ts'
import type { Insert } from '../record/log-insert.ts'
import { askSpool } from './ask-spool.ts'
import { SpoolDrain, type SpoolDrainParts } from './spool-drain.ts'
import { createSpoolView, noSpool, type SpoolView } from './spool-view.ts'
import { SpoolWriter } from './spool-writer.ts'

export interface OpenSpoolParts extends Omit<SpoolDrainParts, 'cluster'> {
  readonly kafka: KafkaClient
  readonly side: Pick<OpenCluster, 'cluster'>
}

export interface OpenSpoolOptions {
  readonly spoolLookMs: number
  readonly insertTimeoutMs: number
}

export interface OpenSpool {
  /** Writes into it; undefined without a spool, as `drain`. */
  readonly insert: Insert | undefined
  readonly drain: SpoolDrain | undefined
  readonly view: SpoolView
  close(): Promise<void>
}

/** A write into Kafka that takes longer is tried again. */
const WRITE_TIMEOUT_MS = 10_000

/** Everything that a worker does with the spool. topic undefined: there is none. */
export function openSpool(
  topic: string | undefined,
  instance: string,
  parts: OpenSpoolParts,
  { spoolLookMs: lookMs, insertTimeoutMs }: OpenSpoolOptions,
): OpenSpool {
  if (topic === undefined) return { insert: undefined, drain: undefined, view: noSpool, close: async () => {} }
  const { cluster } = parts.side
  const writer = new SpoolWriter(parts.kafka.kafka, topic, WRITE_TIMEOUT_MS)
  const drain = new SpoolDrain({ ...parts, cluster }, { topic, instance, lookMs, insertTimeoutMs })
  const view = createSpoolView(() => askSpool(cluster, topic))
  return {
    ...{ insert: writer.insert, drain, view },
    close: async () => {
      await Promise.all([drain.stop(), writer.close()])
    },
  }
}
