import type { Terminal } from './terminal.ts'

/** A terminal for tests: remembers what was printed, and answers as it is told. */
export class TestTerminal implements Terminal {
  readonly env: Record<string, string | undefined>
  readonly colours = false
  readonly questions: string[] = []
  readonly progressLines: string[] = []
  isInteractive = false
  width: number | undefined
  answer = false
  stdin = ''
  printed = ''
  said = ''
  readonly #interrupt = new AbortController()

  /** No config file but one that a test names. */
  constructor(env: Record<string, string | undefined> = {}) {
    this.env = { XDG_CONFIG_HOME: '/there-is-no-such-directory', ...env }
  }

  get interrupted(): AbortSignal {
    return this.#interrupt.signal
  }

  interrupt(): void {
    this.#interrupt.abort()
  }

  out(text: string): void {
    this.printed += text
  }

  err(text: string): void {
    this.said += text
  }

  progress(line: string): void {
    this.progressLines.push(line)
  }

  async readStdin(): Promise<string> {
    return this.stdin
  }

  async ask(question: string): Promise<boolean> {
    this.questions.push(question)
    return this.answer
  }
}
