import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** What a run has to say, put between `<!-- chaos: SECTION -->` and the next `<!-- end -->` of the document that is there. */
export function writeReport(path: string, section: 'scenarios' | 'random' | 'soak' | 'mutations', text: string): void {
  writeFileSync(path, withSection(readFileSync(path, 'utf8'), section, text))
}

/** Throws when the document has no such section. */
export function withSection(document: string, section: string, text: string): string {
  const begin = `<!-- chaos: ${section} -->\n`
  const from = document.indexOf(begin)
  const to = document.indexOf('<!-- end -->', from)
  if (from < 0 || to < 0) throw new Error(`the document has no "${begin.trim()}" with an "<!-- end -->" after it`)
  return `${document.slice(0, from + begin.length)}\n${text}\n\n${document.slice(to)}`
}

/** How the run was made. */
export const runLine = (seed: number, minutes: number): string =>
  `Seed ${seed}, ${minutes.toFixed(0)} minutes, ${new Date().toISOString().slice(0, 10)}, on ${availableParallelism()} cores with Node ${process.version}.`
