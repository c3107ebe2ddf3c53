import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs from 'kafkajs'
import lz4 from 'lz4-napi'
import snappy from 'snappy'

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER_BYTES = 16

/** Java writes snappy as xerial frames: a header, then int32 length and raw block again and again. librdkafka writes one raw block. */
async function snappyDecompress(bytes: Buffer): Promise<Buffer> {
  if (bytes.length < XERIAL_HEADER_BYTES || !bytes.subarray(0, XERIAL.length).equals(XERIAL))
    return (await snappy.uncompress(bytes)) as Buffer
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const length = bytes.readInt32BE(at)
    blocks.push((await snappy.uncompress(bytes.subarray(at + 4, at + 4 + length))) as Buffer)
    at += 4 + length
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks)
}

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  decompress(bytes: Buffer): Promise<Buffer>
}

/** kafkajs knows gzip; this teaches it snappy, lz4 and zstd, for the whole process. */
export function installCodecs(): void {
  const codecs = kafkajs.CompressionCodecs as unknown as Record<number, () => Codec>
  const types = kafkajs.CompressionTypes
  const compress = promisify(zstdCompress)
  const decompress = promisify(zstdDecompress)
  codecs[types.Snappy] = () => ({ compress: ({ buffer }) => snappy.compress(buffer), decompress: snappyDecompress })
  codecs[types.LZ4] = () => ({
    compress: ({ buffer }) => lz4.compressFrame(buffer),
    decompress: (bytes) => lz4.decompressFrame(bytes),
  })
  codecs[types.ZSTD] = () => ({ compress: ({ buffer }) => compress(buffer), decompress: (bytes) => decompress(bytes) })
}
