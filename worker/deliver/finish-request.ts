import type { SourceRecord } from '../../convert/source-record.ts'
import type { LaneId } from '../../runtime/lane-keys.ts'
import type { RequestHeaders } from './request-headers.ts'

/**
 * What is still to be done to a request once its headers are filled and its body is made: answers the body to send. Undefined for most
 * use cases, which pay nothing for it. nowMs: Unix ms, of this attempt.
 */
export type FinishRequest = (headers: RequestHeaders, lane: LaneId, record: SourceRecord, body: Buffer, nowMs: number) => Buffer
