/** The value of the first header of this lower-case name, of headers as undici gives them: name, value, name, value. */
export function responseHeader(raw: readonly Buffer[], name: string): string | undefined {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const given = raw[i]!
    if (given.length === name.length && given.toString('latin1').toLowerCase() === name) return raw[i + 1]!.toString('latin1')
  }
  return undefined
}
