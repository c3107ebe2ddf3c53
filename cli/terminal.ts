import { createInterface } from 'node:readline/promises'
import { stripVTControlCharacters } from 'node:util'

/** Where a command reads and writes: the process's own streams, or a test's. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Somebody is there to be asked. */
  readonly isInteractive: boolean
  /** Columns to fit into; undefined when the output goes to a file or a program. */
  readonly width: number | undefined
  readonly colours: boolean
  /** Aborted by Ctrl-C. */
  readonly interrupted: AbortSignal
  out(text: string): void
  err(text: string): void
  /** One line that the next one replaces; nothing where standard error is no terminal. */
  progress(line: string): void
  readStdin(): Promise<string>
  /** True only when the answer is yes. */
  ask(question: string): Promise<boolean>
}

const eraseLine = '\r\u001b[2K'

/** `noColour` is the flag; NO_COLOR in the environment says the same (https://no-color.org). */
export function processTerminal(args: readonly string[]): Terminal {
  const { stdin, stdout, stderr, env } = process
  const colours =
    stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb' && !args.includes('--no-color')
  const interrupt = new AbortController()
  let interrupts = 0
  process.on('SIGINT', () => {
    // The second time it is meant: whatever hangs then is left to hang.
    if (++interrupts > 1) process.exit(130)
    interrupt.abort()
  })
  process.on('SIGTERM', () => interrupt.abort())
  // `ferry ... | head` has read enough.
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  let progressShown = false
  const clear = (): void => {
    if (progressShown) stderr.write(eraseLine)
    progressShown = false
  }
  return {
    env,
    isInteractive: stdin.isTTY === true && stderr.isTTY === true,
    width: stdout.isTTY === true ? widthOf(env['COLUMNS'], stdout.columns) : undefined,
    colours,
    interrupted: interrupt.signal,
    out(text) {
      clear()
      stdout.write(text)
    },
    err(text) {
      clear()
      stderr.write(stderr.isTTY === true && colours ? text : stripVTControlCharacters(text))
    },
    progress(line) {
      if (stderr.isTTY !== true) return
      clear()
      stderr.write(line)
      progressShown = true
    },
    async readStdin() {
      const chunks: Buffer[] = []
      for await (const chunk of stdin) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks).toString('utf8')
    },
    async ask(question) {
      clear()
      const lines = createInterface({ input: stdin, output: stderr })
      try {
        const answer = await lines.question(`${question} [y/N] `, { signal: interrupt.signal })
        return /^\s*y(es)?\s*$/i.test(answer)
      } finally {
        lines.close()
      }
    },
  }
}

function widthOf(asked: string | undefined, columns: number): number {
  const given = Number(asked)
  return Number.isInteger(given) && given > 0 ? given : Math.max(columns, 40)
}
