import { expect, test } from 'vitest'
import { parseArguments, usage } from './arguments.ts'

test('without arguments the defaults are a first honest figure', () => {
  expect(parseArguments([])).toEqual({
    ...{ records: 300_000, workers: 1, payload: 'json', ordering: 'key', inFlight: 32, rounds: 1, batch: 0 },
    ...{ profile: false, json: false, keepData: false },
  })
})

test('all arguments can be given together, in any order and both ways', () => {
  const given =
    '--json --workers=2 --records 9000 --payload protobuf --rounds 3 --batch 500 --keep-data --in-flight 64 --ordering unordered --profile'
  expect(parseArguments(given.split(' '))).toEqual({
    ...{ records: 9_000, workers: 2, payload: 'protobuf', ordering: 'unordered', inFlight: 64, rounds: 3, batch: 500 },
    ...{ profile: true, json: true, keepData: true },
  })
})

test('what is not understood is refused, and named', () => {
  expect(() => parseArguments(['--record', '5'])).toThrow('--record')
  expect(() => parseArguments(['5000'])).toThrow('5000')
  expect(() => parseArguments(['--records'])).toThrow('--records')
  for (const records of ['-1', '1e6', '2999', '1.5', '100000001', ''])
    expect(() => parseArguments([`--records=${records}`])).toThrow('--records must be a whole number from 3000')
  expect(() => parseArguments(['--workers', '9'])).toThrow('--workers must be a whole number from 1 to 8, not 9')
  expect(() => parseArguments(['--batch', '1'])).toThrow('--batch 1 is one record')
  expect(() => parseArguments(['--payload', 'avro'])).toThrow('--payload must be one of json, row, protobuf, not avro')
  expect(() => parseArguments(['--ordering', 'partition'])).toThrow('--ordering must be one of')
  expect(() => parseArguments(['--workers', '4', '--in-flight', '3'])).toThrow('less than one request for each of 4 processes')
})

test('the usage text names every argument', () => {
  expect(parseArguments(['--records', '5000', '--help'])).toBeUndefined()
  const names = 'records workers payload ordering in-flight rounds batch profile json keep-data help'
  for (const name of names.split(' ')) expect(usage).toMatch(new RegExp(`^  --${name} `, 'm'))
})
