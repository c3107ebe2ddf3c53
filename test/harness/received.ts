/** What a test's endpoint says to one request. */
export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Milliseconds between the whole request and the answer. */
  readonly delayMs?: number
}

/** HANG: no answer, the connection stays. RESET: the connection is broken off. Of a batch it is asked once, with its first record. */
export type Behaviour = (request: Received) => Answer | 'HANG' | 'RESET'

/** Which of Ferry's requests this is, by its headers. */
export interface RequestIdentity {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly epoch: number
  readonly round: number
  readonly attempt: number
}

/** One record of a request that reached an endpoint, in the order of arrival. */
export interface Received extends RequestIdentity {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The record's own, also in a batch. */
  readonly body: string
  /** All records of its request, itself among them. */
  batch: readonly Received[]
  /** The answer has named it as failed, whatever its status. */
  isNamed: boolean
  /** Unix ms when it was there as a whole. */
  readonly arrivedMs: number
  /** 0 while it is not answered. */
  status: number
  /** Of the answer whose first bytes were handed to the socket; 0 before. */
  begunStatus: number
  /** Unix ms when the last byte of the answer was handed to the socket; 0 while it was not. */
  answeredMs: number
  /** Place in the order of answers; -1 while it is not answered. */
  answerOrder: number
}

export const isSuccess = ({ answeredMs, status, isNamed }: Received): boolean =>
  answeredMs > 0 && !isNamed && status >= 200 && status <= 299

/** `{partition}/{offset}`. */
export const recordName = ({ partition, offset }: { partition: number; offset: number }): string => `${partition}/${offset}`

/** Names one request for ever. */
export const requestName = ({ partition, offset, epoch, round, attempt }: Omit<RequestIdentity, 'topic'>): string =>
  `${partition}/${offset} ${epoch}.${round}.${attempt}`

/** Throws on a request that does not name itself: Ferry's requests all do. */
export function readIdentity(headers: Received['headers']): RequestIdentity {
  return identityOf(String(headers['ferry-record']), String(headers['ferry-attempt']))
}

/** Throws on texts that are not Ferry's. */
export function identityOf(recordText: string, attemptText: string): RequestIdentity {
  const record = /^([^/]+)\/(\d+)\/(\d+)$/.exec(recordText)
  const attempt = /^(\d+)\.(\d+)\.(\d+)$/.exec(attemptText)
  if (record === null || attempt === null) throw new Error(`not Ferry's headers: ${recordText}, ${attemptText}`)
  return {
    topic: record[1]!,
    partition: Number(record[2]),
    offset: Number(record[3]),
    epoch: Number(attempt[1]),
    round: Number(attempt[2]),
    attempt: Number(attempt[3]),
  }
}
