/** Returns the body to send for a record's value; throws DecodeError, which says what is wrong and where. */
export type Decoder = (value: Buffer) => Buffer
