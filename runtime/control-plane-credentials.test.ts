import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { findCredentialProblems } from './control-plane-credentials.ts'

const directory = mkdtempSync(join(tmpdir(), 'ferry-test-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('a token for control planes is checked at the start, wherever it is given, and never printed', () => {
  const problems = (controlPlaneToken: string, controlPlaneTokenFile = '') =>
    findCredentialProblems({ controlPlaneToken, controlPlaneTokenFile })
  const token = `ferry_${'x'.repeat(43)}`
  const file = join(directory, 'token')
  writeFileSync(file, `${token}\n`)
  expect([problems(''), problems(token), problems('', file)]).toEqual([[], [], []])
  expect(problems('hunter2')).toEqual(['FERRY_CONTROL_PLANE_TOKEN: must be ferry_ and 43 characters'])
  expect(problems(token, file)).toEqual([
    'FERRY_CONTROL_PLANE_TOKEN and FERRY_CONTROL_PLANE_TOKEN_FILE are both given: take one away',
  ])
  expect(problems('', join(directory, 'none'))).toEqual([expect.stringContaining('cannot be read (ENOENT)')])
  writeFileSync(file, 'hunter2')
  expect(problems('', file)).toEqual(['FERRY_CONTROL_PLANE_TOKEN: must be ferry_ and 43 characters'])
})
