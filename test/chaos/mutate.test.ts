import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mutate } from './mutate.ts'
import { mutations } from './mutations.ts'

const root = join(import.meta.dirname, '../..')

test.each(mutations)('the place where "$safeguard" can be switched off is there, and its scenario too', (mutation) => {
  const text = readFileSync(join(root, mutation.file), 'utf8')
  expect(mutate(text, mutation)).not.toBe(text)
  const scenarios = ['control-plane', 'clickhouse', 'endpoint', 'redis', 'worker'].map((file) =>
    readFileSync(join(import.meta.dirname, `scenarios/${file}.ts`), 'utf8'),
  )
  expect(scenarios.join('\n')).toContain(`'${mutation.scenario}'`)
})
