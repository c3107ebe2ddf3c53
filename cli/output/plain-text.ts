/**
 * Keys, bodies and errors come from elsewhere: shown as they are, they could move the cursor, hide lines or set a terminal's title.
 * Control characters become what JavaScript writes for them.
 */
export const plainText = (text: string): string => text.replace(unsafe, escaped)

/** As plainText, and on one line. */
export const oneLine = (text: string): string => plainText(text.replaceAll(/\s*\n\s*/g, ' ').trim())

const unsafe = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

function escaped(character: string): string {
  if (character === '\n' || character === '\t') return character
  const code = character.codePointAt(0)!
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}
