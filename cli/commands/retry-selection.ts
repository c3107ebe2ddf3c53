import { readFileSync } from 'node:fs'
import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { VerifyRangeResponseSchema } from '../../proto/gen/ferry/v1/verification_pb.ts'
import { GetVerificationResponseSchema } from '../../proto/gen/ferry/v1/verification_service_pb.ts'
import { usageError } from '../cli-error.ts'
import { parseRange } from '../positions.ts'
import { type FailureFlags, failureFilter } from './attempt-filter.ts'

export interface SelectionFlags extends FailureFlags {
  readonly group?: string
  /** Records and runs of them, of any partitions. */
  readonly records?: readonly string[]
  /** A file with what `verify` found missing. */
  readonly missingOf?: string
}

interface Runs {
  readonly partition: number
  readonly runs: { readonly firstOffset: bigint; readonly lastOffset: bigint }[]
}

/** Which deliveries a batch takes. */
export function retryFilter({ group, records = [], missingOf, ...flags }: SelectionFlags, nowMs: number) {
  const runs = [...records.map(runOf), ...(missingOf === undefined ? [] : missingRuns(missingOf))]
  return {
    ...failureFilter(flags, nowMs),
    ...(group !== undefined && { failureGroup: group }),
    ...(runs.length > 0 && { offsets: byPartition(runs) }),
  }
}

type Run = { readonly partition: number; readonly firstOffset: bigint; readonly lastOffset: bigint }

function runOf(text: string): Run {
  const { partition, from, to } = parseRange(text)
  if (from === undefined || to === undefined)
    throw usageError(`--records ${text}: has no end`, 'name them as PARTITION/OFFSET or PARTITION/FIRST-LAST')
  return { partition, firstOffset: from, lastOffset: to - 1n }
}

function byPartition(runs: readonly Run[]): Runs[] {
  const partitions = new Map<number, Runs>()
  for (const { partition, firstOffset, lastOffset } of runs) {
    const those = partitions.get(partition) ?? { partition, runs: [] }
    those.runs.push({ firstOffset, lastOffset })
    partitions.set(partition, those)
  }
  return [...partitions.values()]
}

/** Of what `ferry verify -o json` printed, or `--certificate` wrote. */
function missingRuns(file: string): Run[] {
  const answer = readAnswer(file)
  const runs = answer.partitions.flatMap(({ partition, missing }) => missing.map((run) => ({ partition, ...run })))
  if (runs.length === 0) throw usageError(`nothing is missing in ${file}: there is nothing to send`)
  return runs
}

function readAnswer(file: string) {
  try {
    const json = JSON.parse(readFileSync(file, 'utf8')) as JsonValue
    const options = { ignoreUnknownFields: true }
    const { verification } = fromJson(GetVerificationResponseSchema, json, options)
    return verification?.result ?? fromJson(VerifyRangeResponseSchema, json, options)
  } catch (error) {
    throw usageError(
      `${file} is no answer of ferry verify: ${(error as Error).message}`,
      'write one: ferry verify NAME -o json > FILE',
    )
  }
}
