const quote = 34
const openArray = 91
const backslash = 92
const closeArray = 93
const openObject = 123
const closeObject = 125
const comma = 44

// These read JSON text that was checked before: they find ends, and say nothing of what is wrong.

/** After white space. */
export function skipSpace(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) <= 32) at++
  return at
}

/** After the string that begins here. */
export function skipString(text: string, from: number): number {
  let at = from + 1
  for (;;) {
    const char = text.charCodeAt(at)
    if (char === quote) return at + 1
    at += char === backslash ? 2 : 1
  }
}

/** After the value that begins here. */
export function skipValue(text: string, from: number): number {
  let at = from
  const first = text.charCodeAt(at)
  if (first === quote) return skipString(text, at)
  if (first !== openObject && first !== openArray) {
    for (;;) {
      const char = text.charCodeAt(++at)
      // At the end of the text it is NaN.
      if (!(char > 32) || char === comma || char === closeObject || char === closeArray) return at
    }
  }
  for (let depth = 0; ; ) {
    const char = text.charCodeAt(at)
    if (char === quote) {
      at = skipString(text, at)
      continue
    }
    at++
    if (char === openObject || char === openArray) depth++
    else if ((char === closeObject || char === closeArray) && --depth === 0) return at
  }
}
