import { ScalarType } from '@bufbuild/protobuf'

/**
 * Code for one scalar type, in terms of the generated function's variables: `b` the input and `i` the position in it, `p` the
 * position in the output, `n` and `x` the value read.
 */
export interface ScalarCode {
  readonly wireType: number
  /** Reads at i and moves it; of strings and bytes only the length. */
  readonly read: string
  /** Whether what was read is the type's zero. */
  readonly isZero: string
  /** Writes what was read, and moves i over the payload of strings and bytes. */
  readonly write: string
  /** What is written for a zero that is not on the wire. */
  readonly zeroText: string
  /** Bytes of each element when packed; 0 when they vary. */
  readonly elementBytes: number
}

const readVarint = 'n=b[i++];if(n>127){n=readUint32(b,i-1);i=cursor.pos}'
const varint = { wireType: 0, elementBytes: 0 }
const word = { wireType: 5, elementBytes: 4 }
const long = { wireType: 1, elementBytes: 8 }
const number = { isZero: 'n===0', write: 'p=writeInteger(n,p);', zeroText: '0' }
const signed64 = { isZero: '(cursor.lo|cursor.hi)===0', write: 'p=writeInt64(p);', zeroText: '"0"' }
const unsigned64 = { ...signed64, write: 'p=writeUint64(p);' }
const double = { isZero: 'Object.is(x,0)', write: 'p=writeDouble(x,p);', zeroText: '0' }
const text = { wireType: 2, elementBytes: 0, read: `${readVarint}`, isZero: 'n===0', zeroText: '""' }

export const scalarCode: Readonly<Record<ScalarType, ScalarCode>> = {
  [ScalarType.STRING]: { ...text, write: 'p=writeText(b,i,i+n,p);i+=n;' },
  [ScalarType.BYTES]: { ...text, write: 'p=writeBase64(b,i,i+n,p);i+=n;' },
  [ScalarType.BOOL]: {
    ...varint,
    read: 'n=b[i++];if(n>127){i=readVarint64(b,i-1);n=cursor.lo|cursor.hi}',
    isZero: 'n===0',
    write: 'p=writeBool(n,p);',
    zeroText: 'false',
  },
  [ScalarType.INT32]: { ...varint, ...number, read: `${readVarint}n|=0;` },
  [ScalarType.UINT32]: { ...varint, ...number, read: readVarint },
  [ScalarType.SINT32]: { ...varint, ...number, read: `${readVarint}n=(n>>>1)^-(n&1);` },
  [ScalarType.INT64]: { ...varint, ...signed64, read: 'i=readVarint64(b,i);' },
  [ScalarType.UINT64]: { ...varint, ...unsigned64, read: 'i=readVarint64(b,i);' },
  [ScalarType.SINT64]: { ...varint, ...signed64, read: 'i=readVarint64(b,i);undoZigzag64();' },
  [ScalarType.FIXED32]: { ...word, ...number, read: 'n=b.readUInt32LE(i);i+=4;' },
  [ScalarType.SFIXED32]: { ...word, ...number, read: 'n=b.readInt32LE(i);i+=4;' },
  [ScalarType.FLOAT]: { ...word, ...double, read: 'x=b.readFloatLE(i);i+=4;' },
  [ScalarType.FIXED64]: { ...long, ...unsigned64, read: 'i=readFixed64(b,i);' },
  [ScalarType.SFIXED64]: { ...long, ...signed64, read: 'i=readFixed64(b,i);' },
  [ScalarType.DOUBLE]: { ...long, ...double, read: 'x=b.readDoubleLE(i);i+=8;' },
}
