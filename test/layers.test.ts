import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

/** What each house stands on: CONTRIBUTING.md, Layers. */
const standsOn: Readonly<Record<string, readonly string[]>> = {
  proto: [],
  runtime: ['proto'],
  convert: ['proto', 'runtime'],
  worker: ['proto', 'runtime', 'convert'],
  'control-plane': ['proto', 'runtime', 'convert'],
  cli: ['proto', 'runtime'],
}
/** Tests, and what is there for tests alone, may take what they need. */
const isForTests = /(\.test\.ts|(^|\/)(test|sample)-[^/]+)$/

test('no house knows one that it does not stand on', () => {
  const wrong = Object.keys(standsOn).flatMap((house) =>
    sourcesOf(house).flatMap((file) =>
      importsOf(file)
        .filter((target) => !isAllowed(house, target))
        .map((target) => `${file} imports ${target}`),
    ),
  )
  expect(wrong).toEqual([])
})

const isAllowed = (house: string, target: string): boolean => {
  const [other] = target.split('/')
  return !target.includes('/') || other === house || standsOn[house]!.includes(other!)
}

function sourcesOf(house: string): string[] {
  return readdirSync(join(root, house), { recursive: true, encoding: 'utf8' })
    .map((name) => join(house, name).split(sep).join('/'))
    .filter((name) => name.endsWith('.ts') && !isForTests.test(name) && !name.includes('/dist/'))
}

/** Paths from the root, of what a file imports of the project, also by import(). */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  const targets = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) => match[1]!)
  return targets.map((target) =>
    relative(root, resolve(root, dirname(file), target))
      .split(sep)
      .join('/'),
  )
}
