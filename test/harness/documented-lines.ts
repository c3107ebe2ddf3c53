import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { runCommand } from '../run-command.ts'

const root = join(import.meta.dirname, '../..')
const bin = join(root, '.local/bin')
const commandMsMax = 30_000
const buildMsMax = 120_000

/** Runs lines of the documentation as they are printed, but for where things are; in an empty directory, with `ferry` and grpcurl. */
export class DocumentedLines implements Disposable {
  readonly #dir = mkdtempSync(join(tmpdir(), 'ferry-lines-'))
  readonly #places: readonly (readonly [string, string])[]
  readonly #env: string

  /** What is printed, and what stands for it here. */
  constructor(places: readonly (readonly [string, string])[], env: Readonly<Record<string, string>> = {}) {
    this.#places = places
    const exports = Object.entries({ XDG_CONFIG_HOME: this.#dir, ...env }).map(([name, value]) => `export ${name}='${value}'`)
    const ferry = `ferry() { '${process.execPath}' '${join(this.#dir, 'package/cli/ferry.mjs')}' "$@"; }`
    this.#env = [`cd '${this.#dir}'`, `PATH='${bin}':"$PATH"`, 'set -o pipefail', ...exports, ferry].join('; ')
  }

  /** Makes `ferry` as a package has it: built, and without node_modules beside it. */
  async installFerry(): Promise<void> {
    const place = join(this.#dir, 'package')
    mkdirSync(join(place, 'cli'), { recursive: true })
    for (const file of ['package.json', 'cli/ferry.mjs']) cpSync(join(root, file), join(place, file))
    const args = ['-c', join(root, 'cli/rolldown.config.mjs'), '--dir', join(place, 'cli/dist'), '--logLevel', 'warn']
    const { exitCode, output } = await runCommand(join(root, 'node_modules/.bin/rolldown'), args, buildMsMax, false)
    expect(exitCode, output).toBe(0)
  }

  /** For a shell, of every block that says that it is tested. */
  linesOf(page: string): string[] {
    const blocks = [...this.#read(page).matchAll(/<!-- tested -->\n```console\n(.*?)```/gs)].map((match) => match[1]!)
    return blocks.flatMap((block) => block.trimEnd().split('\n'))
  }

  /** Writes what the page shows as files: `<!-- file: NAME -->`. */
  writeFilesOf(page: string): void {
    for (const [, name, text] of this.#read(page).matchAll(/<!-- file: ([\w.]+) -->\n```\w+\n(.*?)```/gs))
      writeFileSync(join(this.#dir, name!), text!)
  }

  /** Both of its streams; fails when it does not exit with 0. */
  async run(line: string): Promise<string> {
    const { exitCode, output } = await runCommand('bash', ['-c', `${this.#env}; ${line}`], commandMsMax, false)
    expect(exitCode, `${line}\n${output}`).toBe(0)
    return output
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #read(page: string): string {
    const text = readFileSync(join(root, page), 'utf8')
    return this.#places.reduce((changed, [printed, own]) => changed.replaceAll(printed, own), text)
  }
}
