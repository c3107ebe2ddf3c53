import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import lz4 from 'lz4-napi'
import snappy from 'snappy'
import { describe, expect, test } from 'vitest'
import { readBatches } from './record-batch.ts'
import { encodeBatch, type SampleBatch } from './sample-batch.ts'

const values = (...texts: string[]): SampleBatch['records'] => texts.map((value, offset) => ({ offset, value }))
const read = async (...batches: SampleBatch[]) => readBatches(Buffer.concat(batches.map(encodeBatch)))

/** As Java frames it: the magic, two versions, and blocks with their lengths. */
function xerial(bytes: Buffer): Buffer {
  const blocks = [bytes.subarray(0, 5), bytes.subarray(5)].flatMap((each) => {
    const block = snappy.compressSync(each)
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    return [length, block]
  })
  return Buffer.concat([Buffer.from('82534e41505059000000000100000001', 'hex'), ...blocks])
}

describe('the record batches of a fetch', () => {
  test('give key, value, timestamp and headers of each record', async () => {
    const headers = [
      ['a', '1'],
      ['__proto__', '2'],
      ['a', '3'],
      ['none', null],
    ] as const
    const records = [
      { offset: 70, key: 'k', value: 'v', timestamp: 1_700_000_000_123, headers },
      { offset: 71, key: null, value: null, timestamp: 1_600_000_000_000 },
    ]
    const { batches, bad } = await read({ first: 70, records, timestamp: 1_700_000_000_000 })
    expect(bad).toBeUndefined()
    const [first, second] = batches[0]!.records
    expect(first).toMatchObject({ offset: '70', timestamp: '1700000000123', key: Buffer.from('k'), value: Buffer.from('v') })
    expect(Object.entries(first!.headers)).toEqual([
      ['a', [Buffer.from('1'), Buffer.from('3')]],
      ['__proto__', Buffer.from('2')],
      ['none', Buffer.alloc(0)],
    ])
    expect(second).toEqual({ offset: '71', timestamp: '1600000000000', key: null, value: null, headers: {} })
  })

  test('have the time of the broker where it stamps them', async () => {
    const { batches } = await read({ first: 0, records: values('v'), attributes: 0x08, maxTimestamp: 77 })
    expect(batches[0]!.records[0]!.timestamp).toBe('77')
  })

  test('are read with each codec that Kafka has', async () => {
    const texts = ['one', 'two', 'three'.repeat(100)]
    const lz4Frame = await lz4.compressFrame(Buffer.from(''))
    expect(lz4Frame.length).toBeGreaterThan(0)
    const codecs: [number, (bytes: Buffer) => Buffer | Promise<Buffer>][] = [
      [1, gzipSync],
      [2, (bytes) => snappy.compressSync(bytes)],
      [2, xerial],
      [3, (bytes) => lz4.compressFrame(bytes)],
      [4, zstdCompressSync],
    ]
    for (const [attributes, codec] of codecs) {
      let plain: Buffer = Buffer.alloc(0)
      encodeBatch({ first: 0, records: values(...texts), compress: (bytes) => (plain = bytes) })
      const packed = await codec(plain)
      const { batches, bad } = await read({ first: 0, records: values(...texts), attributes, compress: () => packed })
      expect(bad).toBeUndefined()
      expect(batches[0]!.records.map((each) => String(each.value))).toEqual(texts)
    }
  })

  test('hold 200,000 records', async () => {
    const records = Array.from({ length: 200_000 }, (_, offset) => ({ offset, value: null }))
    const { batches } = await read({ first: 0, records, attributes: 4, compress: (bytes) => zstdCompressSync(bytes) })
    expect(batches[0]!.records).toHaveLength(200_000)
    expect(batches[0]!.records.at(-1)!.offset).toBe('199999')
  })

  test('that compaction has emptied are there, and so are markers, without records', async () => {
    const { batches } = await read(
      { first: 3, delta: 6, records: [], producerId: 9, attributes: 0x10 },
      { first: 10, records: [{ offset: 10, key: 'abcd' }], producerId: 9, attributes: 0x30 },
    )
    expect(batches).toEqual([
      { firstOffset: 3, lastOffset: 9, leaderEpoch: 0, producerId: 9, isTransactional: true, isControl: false, records: [] },
      { firstOffset: 10, lastOffset: 10, leaderEpoch: 0, producerId: 9, isTransactional: true, isControl: true, records: [] },
    ])
  })

  test('end before one that was cut', async () => {
    const whole = Buffer.concat([
      encodeBatch({ first: 0, records: values('a') }),
      encodeBatch({ first: 1, records: values('b') }),
    ])
    for (let cut = 1; cut < whole.length / 2; cut++) {
      const { batches, bad } = await readBatches(whole.subarray(0, -cut))
      expect(bad).toBeUndefined()
      expect(batches).toHaveLength(1)
    }
  })

  test('end before one with a changed byte, and say where the log goes on', async () => {
    const three = [0, 1, 2].map((first) => encodeBatch({ first, records: [{ offset: first, value: 'value' }] }))
    const [, second] = three
    for (let at = 17; at < second!.length; at++) {
      const changed = Buffer.from(second!)
      changed[at] = changed[at]! ^ 0x40
      const { batches, bad } = await readBatches(Buffer.concat([three[0]!, changed, three[2]!]))
      expect(batches.map((each) => each.firstOffset)).toEqual([0])
      expect(bad).toMatchObject({
        firstOffset: 1,
        nextOffset: 2,
        reason: expect.stringMatching(/^its CRC is \w{8} and should be/),
      })
    }
  })

  test('end before one of an unknown format, codec or content', async () => {
    const old = encodeBatch({ first: 5, records: values('a') })
    old[16] = 1
    expect((await readBatches(old)).bad).toMatchObject({ firstOffset: 5, reason: expect.stringContaining('format 1') })
    const broken: [Partial<SampleBatch>, RegExp][] = [
      [{ attributes: 7 }, /codec 7/],
      [{ attributes: 1 }, /header/],
      [{ compress: (bytes) => bytes.subarray(0, -1) }, /does not fit/],
      [{ compress: (bytes) => Buffer.concat([bytes.subarray(0, 1), Buffer.from([0, 0, 9]), bytes.subarray(4)]) }, /offset/],
    ]
    for (const [over, reason] of broken)
      expect((await read({ first: 0, records: values('abc'), ...over })).bad?.reason).toMatch(reason)
  })

  test('never throw, whatever the bytes are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 40, maxLength: 120 }), fc.boolean(), async (noise, isFormat2) => {
        const bytes = Buffer.from(noise)
        if (isFormat2) bytes[16] = 2
        const { batches } = await readBatches(bytes)
        expect(batches).toEqual([])
      }),
    )
  })
})
