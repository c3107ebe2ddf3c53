import { createHash, randomBytes } from 'node:crypto'

const form = /^ferry_[A-Za-z0-9_-]{43}$/

/** 256 random bits. The prefix lets scanners find one that was published by mistake. */
export const newSecret = (): string => `ferry_${randomBytes(32).toString('base64url')}`

/** SHA-256 in hexadecimal, which is all that is kept: of 256 random bits nothing can be guessed back. */
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/** Whether it can be one: anything shorter or chosen by a person is never compared with a hash. */
export const isSecret = (text: string): boolean => form.test(text)

/** Reads hashes as `sha256sum` prints them, separated by commas. Throws an Error that says what would be right. */
export function readHashes(text: string): readonly string[] {
  const hashes = text === '' ? [] : text.split(',').map((each) => each.trim().toLowerCase())
  const wrong = hashes.findIndex((each) => !/^[0-9a-f]{64}$/.test(each))
  if (wrong >= 0)
    throw new Error(
      `must be SHA-256 hashes of tokens (ferry_ and 43 characters) in 64 hexadecimal digits, separated by commas; entry ${wrong + 1} is none`,
    )
  return hashes
}
