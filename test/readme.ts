import { readFile, writeFile } from 'node:fs/promises'
import { controlPlaneSettings } from '../control-plane/config.ts'
import { describeConfig } from '../runtime/config.ts'
import { workerSettings } from '../worker/config.ts'

const path = new URL('../README.md', import.meta.url)

/** README.md as it should be: its tables of settings are made of the processes' own schemas. */
export function withSettings(readme: string): string {
  const tables = { 'control-plane': describeConfig(controlPlaneSettings), worker: describeConfig(workerSettings) }
  return Object.entries(tables).reduce(
    (text, [name, table]) =>
      text.replace(
        new RegExp(`(<!-- settings: ${name} -->\n)[^]*?(<!-- end -->)`),
        (_, start, end) => `${start}\n${table}\n\n${end}`,
      ),
    readme,
  )
}

export const readReadme = (): Promise<string> => readFile(path, 'utf8')

// `node test/readme.ts` writes it.
if (process.argv[1] === import.meta.filename) await writeFile(path, withSettings(await readReadme()))
