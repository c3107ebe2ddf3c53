/** What the process ends with. Documented in docs/cli.md: scripts rely on it. */
export const ExitCode = {
  done: 0,
  /** The server refused, or something broke. */
  failed: 1,
  /** A wrong command line, or wrong definitions; nothing was changed. */
  usage: 2,
  /** `verify`: records are missing. */
  missing: 3,
  /** It ran, and the result is not the good one: not complete yet, failed again, not delivered. */
  notGood: 4,
  /** The control plane cannot be reached, or cannot answer now: try again. */
  unavailable: 5,
  /** Not signed in, or not allowed. */
  notAllowed: 6,
  /** There is no such thing. */
  notFound: 7,
  /** Ctrl-C. */
  interrupted: 130,
} as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]
