import { promisify } from 'node:util'
import { gunzip as gunzipCallback, zstdDecompress as zstdCallback } from 'node:zlib'
import lz4 from 'lz4-napi'
import snappy from 'snappy'

const gunzip = promisify(gunzipCallback)
const zstdDecompress = promisify(zstdCallback)

/** More than any batch has that a broker takes by its defaults: what claims to be larger is a bomb, or broken. */
const DECOMPRESSED_BYTES_MAX = 256 << 20

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

/** By the number in a batch's attributes. */
const codecs: readonly (((bytes: Buffer) => Promise<Buffer>) | undefined)[] = [
  undefined,
  (bytes) => gunzip(bytes, { maxOutputLength: DECOMPRESSED_BYTES_MAX }),
  snappyDecompress,
  (bytes) => lz4.decompressFrame(bytes),
  (bytes) => zstdDecompress(bytes, { maxOutputLength: DECOMPRESSED_BYTES_MAX }),
]

/** The records of a batch, as they were before compression. Rejects where the codec is unknown, or the bytes are not its. */
export async function decompress(codec: number, bytes: Buffer): Promise<Buffer> {
  const found = codecs[codec]
  if (found === undefined) throw new Error(`Kafka has no compression codec ${codec}`)
  return found(bytes)
}
