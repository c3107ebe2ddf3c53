import { expect, test } from 'vitest'
import { compileConstantHeaders, maskSecrets } from './constant-headers.ts'
import { PlanError } from './plan-error.ts'

test('content-type and user-agent are set unless the use case sets them', () => {
  expect(compileConstantHeaders({})).toEqual([
    'content-type',
    'application/json',
    'user-agent',
    expect.stringMatching(/^ferry\/\d+\.\d+\.\d+/),
  ])
  expect(compileConstantHeaders({ 'Content-Type': 'application/vnd.acme+json', 'USER-AGENT': 'acme' })).toEqual([
    'content-type',
    'application/vnd.acme+json',
    'user-agent',
    'acme',
  ])
})

test('names are in lower case and in order, values as they are', () => {
  const headers = compileConstantHeaders({ 'X-Zone': 'eu', Accept: 'Application/JSON' })
  expect(headers.filter((_, at) => at % 2 === 0)).toEqual(['accept', 'content-type', 'user-agent', 'x-zone'])
  expect(headers[1]).toBe('Application/JSON')
})

test('what belongs to HTTP or to Ferry is refused in any case', () => {
  for (const name of [
    'Host',
    'content-length',
    'Transfer-Encoding',
    'Idempotency-Key',
    'Ferry-Anything',
    'traceparent',
    'expect',
  ])
    expect(() => compileConstantHeaders({ [name]: 'x' })).toThrow(PlanError)
})

test('what no request could carry is refused, without showing the value', () => {
  expect(() => compileConstantHeaders({ 'a b': 'x' })).toThrow(/no name of an HTTP header/)
  expect(() => compileConstantHeaders({ 'X-A': '1', 'x-a': '2' })).toThrow(/given twice/)
  for (const value of ['secret\r\nx: y', 'secret\0', 'secret\u20ac']) {
    expect(() => compileConstantHeaders({ authorization: value })).toThrow(/characters that no HTTP header may hold/)
    expect(() => compileConstantHeaders({ authorization: value })).not.toThrow(/secret/)
  }
})

test('the log shows names and what is no credential', () => {
  const secret = [
    'authorization',
    'cookie',
    'x-api-key',
    'apikey',
    'x-auth-token',
    'client-secret',
    'proxy-authorization',
    'token',
  ]
  const open = ['content-type', 'x-tokens-left', 'user-agent', 'x-zone', 'x-keyboard']
  const given = [...secret, ...open].flatMap((name) => [name, 'value'])
  expect(maskSecrets(given)).toEqual([...secret.flatMap((name) => [name, '***']), ...open.flatMap((name) => [name, 'value'])])
})
