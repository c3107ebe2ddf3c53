import type { Broker } from 'kafkajs'
import { WireReader, WireWriter } from './kafka-wire.ts'

/** A request of Kafka's protocol in one version of it, whose answer begins with a throttle time, as nearly all do. */
export interface KafkaRequest<T> {
  readonly name: string
  readonly key: number
  readonly version: number
  /** Whether this version has compact lengths and tagged fields. */
  readonly isFlexible: boolean
  write(body: WireWriter): void
  read(answer: WireReader): T
}

/** What kafkajs' Broker has and its types leave out. */
interface RawBroker {
  readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>> | null
  readonly connectionPool: { send(protocol: Protocol): Promise<{ answer: unknown }> }
  disconnect(): Promise<void>
}

interface Protocol {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<{ buf: Buffer; buffer: Buffer }>
  }
  readonly response: {
    decode(payload: Buffer): Promise<{ clientSideThrottleTime: number; answer: unknown }>
    parse(decoded: { answer: unknown }): Promise<{ answer: unknown }>
  }
}

/** The first of these versions, best first, that the broker speaks. */
export function bestVersion(broker: Broker, key: number, versions: readonly number[]): number {
  const spoken = (broker as unknown as RawBroker).versions?.[key]
  const best = versions.find((each) => spoken !== undefined && each >= spoken.minVersion && each <= spoken.maxVersion)
  if (best === undefined) throw new Error(`the Kafka broker speaks none of the versions ${versions} of request ${key}`)
  return best
}

/**
 * Sends a request that kafkajs does not know in this version, on its connections: it keeps them, authenticates, and bounds the
 * wait. Rejects with kafkajs' errors when there is no answer; errors within the answer are the caller's to read.
 */
export async function askBroker<T>(broker: Broker, request: KafkaRequest<T>): Promise<T> {
  const raw = broker as unknown as RawBroker
  const { name, key, version, isFlexible } = request
  const encode = async () => {
    const body = new WireWriter(isFlexible)
    // Flexible requests and answers have tagged fields in their headers, too.
    request.write(body.tags())
    const buffer = body.finish()
    return { buf: buffer, buffer }
  }
  const decode = async (payload: Buffer) => {
    const reader = new WireReader(payload, isFlexible)
    reader.tags()
    const clientSideThrottleTime = reader.int32()
    return { clientSideThrottleTime, answer: request.read(reader) }
  }
  try {
    const protocol: Protocol = {
      request: { apiKey: key, apiVersion: version, apiName: name, encode },
      response: { decode, parse: async (decoded) => decoded },
    }
    return (await raw.connectionPool.send(protocol)).answer as T
  } catch (error) {
    // As kafkajs does it: the next one asks on a new connection.
    if ((error as Error).name === 'KafkaJSConnectionClosedError') await raw.disconnect()
    throw error
  }
}
