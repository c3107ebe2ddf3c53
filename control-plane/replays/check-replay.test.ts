import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { ReplaySchema } from '../../proto/gen/ferry/v1/replay_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import type { QueryError } from '../attempts/query-error.ts'
import { checkReplay } from './check-replay.ts'
import { resolveOffsets } from './resolve-offsets.ts'

type Asked = MessageInitShape<typeof ReplaySchema>
const check = (asked: Asked) =>
  checkReplay(create(ReplaySchema, asked), readEgressRules('')).map(({ field, reason }) => [
    field.slice('replay.'.length),
    reason,
  ])
const range = (partition: number, fromOffset?: bigint, toOffset?: bigint) => ({
  partition,
  ...(fromOffset === undefined ? {} : { fromOffset }),
  ...(toOffset === undefined ? {} : { toOffset }),
})

test('every mistake is told at once', () => {
  expect(check({ ranges: [range(0)] })).toEqual([])
  expect(check({ fromTime: timestampFromMs(5), url: 'https://shadow.example/x', withCredentials: true })).toEqual([])
  expect(check({})).toEqual([['ranges', 'RANGE_EMPTY']])
  expect(check({ toTime: timestampFromMs(5), withCredentials: true })).toEqual([
    ['ranges', 'RANGE_EMPTY'],
    ['to_time', 'FIELDS_CONFLICT'],
    ['with_credentials', 'FIELDS_CONFLICT'],
  ])
  const ranges = [range(0, 5n, 5n), range(0)]
  expect(
    check({ ranges, fromTime: timestampFromMs(9), toTime: timestampFromMs(9), url: 'http://user:secret@127.0.0.1/' }),
  ).toEqual([
    ['from_time', 'FIELDS_CONFLICT'],
    ['to_time', 'TIME_ORDER'],
    ['ranges[0].to_offset', 'OFFSET_ORDER'],
    ['ranges[1].partition', 'PARTITION_DUPLICATE'],
    ['url', 'URL_REFUSED'],
    ['url', 'URL_REFUSED'],
  ])
})

test('what is refused about a URL does not repeat its password', () => {
  const replay = create(ReplaySchema, { ranges: [range(0)], url: 'http://user:secret@127.0.0.1/' })
  for (const { description } of checkReplay(replay, readEgressRules(''))) expect(description).not.toContain('secret')
})

const kafka = {
  startOffsets: async () =>
    new Map([
      [0, 10],
      [1, 0],
      [2, 7],
    ]), // prettier-ignore
  endOffsets: async () =>
    new Map([
      [0, 100],
      [1, 50],
      [2, 7],
    ]), // prettier-ignore
  offsetsAt: async (_cluster: string, _topic: string, timeMs: number) =>
    new Map(
      timeMs < 1000
        ? [
            [0, 40],
            [1, 0],
          ]
        : [[0, 60]],
    ), // prettier-ignore
}
const resolve = async (asked: Asked) =>
  (await resolveOffsets(kafka, 'default', 't', create(ReplaySchema, asked))).map(({ partition, fromOffset, toOffset }) => [
    ...[partition, Number(fromOffset), Number(toOffset)],
  ])
const refused = (asked: Asked) =>
  resolve(asked).then(
    () => expect.fail('it was resolved'),
    (error: QueryError) => error.violations.map(({ field, reason }) => [field, reason]),
  )

test('offsets have both ends: what Kafka has first, and its end now', async () => {
  expect(await resolve({ ranges: [range(1, 3n), range(0)] })).toEqual([
    [0, 10, 100],
    [1, 3, 50],
  ])
  expect(await resolve({ ranges: [range(0, 0n, 12n), range(2)] })).toEqual([[0, 10, 12]])
  expect(await refused({ ranges: [range(3), range(0, 0n, 101n), range(1, 51n)] })).toEqual([
    ['replay.ranges[0].partition', 'PARTITION_NOT_FOUND'],
    ['replay.ranges[1].to_offset', 'OFFSET_BEYOND_END'],
    ['replay.ranges[2].from_offset', 'OFFSET_BEYOND_END'],
  ])
  expect(await refused({ ranges: [range(0, 0n, 10n), range(2)] })).toEqual([['replay.ranges', 'RANGE_EMPTY']])
})

test('times become offsets of every partition that has records of them', async () => {
  const at = timestampFromMs
  expect(await resolve({ fromTime: at(500) })).toEqual([
    [0, 40, 100],
    [1, 0, 50],
  ])
  // Of partition 1 everything is before the second time.
  expect(await resolve({ fromTime: at(500), toTime: at(2000) })).toEqual([
    [0, 40, 60],
    [1, 0, 50],
  ])
  expect(await refused({ fromTime: at(2000), toTime: at(3000) })).toEqual([['replay.from_time', 'RANGE_EMPTY']])
})
