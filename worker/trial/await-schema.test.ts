import { expect, test } from 'vitest'
import { SchemaPending } from '../../convert/decode/registry/schema-source.ts'
import { awaitSchema } from './await-schema.ts'

const record = { ...{ offset: '0', timestamp: '0', headers: {}, key: null }, value: Buffer.from('v') }
const never = new AbortController().signal

test('a trial waits until the schema is there, however often it has to look', async () => {
  let looks = 0
  const decode = (value: Buffer): Buffer => {
    if (++looks < 3) throw new SchemaPending(Promise.resolve(), () => undefined)
    return value
  }
  await awaitSchema({ decode }, record, never)
  expect(looks).toBe(3)
})

test('it ends with what is wrong with the registry, or with its time', async () => {
  let trouble: string | undefined = 'schema registry default: it is away'
  const decode = (): Buffer => {
    throw new SchemaPending(Promise.resolve(), () => trouble)
  }
  await expect(awaitSchema({ decode }, record, never)).rejects.toThrow('schema registry default: it is away')
  trouble = undefined
  await expect(awaitSchema({ decode }, record, AbortSignal.timeout(50))).rejects.toThrow(/timeout/)
})

test('what is wrong with the record is not its matter, nor is a tombstone', async () => {
  const decode = (): Buffer => {
    throw new Error('no JSON')
  }
  await awaitSchema({ decode }, record, never)
  await awaitSchema({ decode }, { ...record, value: null }, never)
})
