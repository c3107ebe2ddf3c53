/** `user:password@` (the password may hold a slash), or `user@` up to the first slash: a path with an @ in it is no secret. */
const userinfo = /:\/\/(?:[^\s/:"']*:[^\s"']*|[^\s/"']*)@/g
/** `user:password@` without a scheme in front. */
const bareUserinfo = /(?<![\w/.@-])[\w.+-]+:[^\s"'/@]+@/g
const credentials = /\b(Bearer|Basic)\s+[^\s"',;]+/gi
const pairs =
  /\b([\w-]*(?:token|secret|passw(?:or)?d|pwd|api[-_]?key|access[-_]?key|signature|sig|credential)[\w-]*)(["']?\s*[=:]\s*["']?)[^\s"'&;,]+/gi

/** Ferry's own tokens, wherever they stand. */
const tokens = /\bferry_[A-Za-z0-9_-]{43}/g

/**
 * Takes out of a text what looks like a secret: user and password in a URL, Authorization values, `token=...` and its like.
 * A second fence only. The first is that requests, headers and configuration are never logged.
 */
export function hideSecrets(text: string): string {
  return text
    .replace(userinfo, '://***@')
    .replace(bareUserinfo, '***@')
    .replace(credentials, '$1 ***')
    .replace(pairs, '$1$2***')
    .replace(tokens, 'ferry_***')
}
