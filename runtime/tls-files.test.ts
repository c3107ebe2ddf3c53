import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, expect, test } from 'vitest'
import { findControlPlaneTlsProblems, reachControlPlanes } from './control-plane-tls.ts'
import { selfSignedCertificate } from './sample-certificate.ts'
import { readTlsFiles, watchTlsFiles } from './tls-files.ts'

const directory = mkdtempSync(join(tmpdir(), 'ferry-test-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const untilMs = Date.now() + 86_400_000
const names = { ca: 'CA_FILE', cert: 'CERTIFICATE_FILE', key: 'KEY_FILE' }
const paths = { ca: '', cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
const lines: string[] = []
const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })

const first = selfSignedCertificate('ferry.test', untilMs)
const second = selfSignedCertificate('ferry.test', untilMs)
const put = (path: string, text: string) => writeFileSync(path, text)

test('renewed files are taken when they fit together, and the old ones go on until then', async () => {
  put(paths.cert, first.cert)
  put(paths.key, first.key)
  const seen: string[] = []
  const files = watchTlsFiles(names, paths, 'TLS', log, ({ cert }) => void seen.push(cert))
  await files.look()
  expect([files.current, seen]).toEqual([{ ca: '', cert: first.cert, key: first.key }, []])

  put(paths.cert, second.cert)
  await files.look()
  await files.look()
  expect([files.current.cert, seen]).toEqual([first.cert, []])
  expect(lines.filter((line) => line.includes('the key is not the one of the certificate'))).toHaveLength(1)
  put(paths.key, second.key)
  await files.look()
  expect([files.current, seen]).toEqual([{ ca: '', cert: second.cert, key: second.key }, [second.cert]])

  rmSync(paths.key)
  await files.look()
  put(paths.key, '')
  await files.look()
  expect(files.current.key).toBe(second.key)
  expect(lines.join()).toContain('ENOENT')
  expect(lines.join()).not.toContain('PRIVATE KEY-----')
  files.stop()
})

test('what is wrong with files is told at once, by the setting, and without a key in it', () => {
  put(paths.cert, first.cert)
  put(paths.key, second.key)
  const problems: string[] = []
  readTlsFiles(names, { ...paths, ca: paths.key }, problems)
  expect(problems).toEqual([
    'CA_FILE: the file has no certificate in PEM (-----BEGIN CERTIFICATE-----)',
    'KEY_FILE: the key is not the one of the certificate in CERTIFICATE_FILE',
  ])
  problems.length = 0
  readTlsFiles(names, { ...paths, key: '' }, problems)
  expect(problems).toEqual(['CERTIFICATE_FILE and KEY_FILE must be given both, or neither'])
})

test('files for control planes without TLS to them are a mistake', () => {
  const given = { controlPlaneTls: 'off', controlPlaneCaFile: paths.cert, controlPlaneServerName: '' } as const
  expect(findControlPlaneTlsProblems(given, 'set X=on')).toEqual([expect.stringContaining('set X=on, or take them away')])
  expect(findControlPlaneTlsProblems({ ...given, controlPlaneTls: 'on' }, '')).toEqual([])
  expect(reachControlPlanes(given, log)()).toBeUndefined()
  const way = reachControlPlanes({ ...given, controlPlaneTls: 'on', controlPlaneServerName: 'ferry.test' }, log)
  expect(way()).toEqual({ ca: first.cert, cert: '', key: '', serverName: 'ferry.test' })
  expect(way()).toBe(way())
})
