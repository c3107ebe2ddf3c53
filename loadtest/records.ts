import { loadOrderType } from './order-message.ts'

export type Payload = 'json' | 'row' | 'protobuf'

export const partitions = 8
export const keys = 10_000
export const jsonBytes = 512
export const rowBytes = 200

/** Key and partition of the record with this number: a multiple of `partitions` many keys, so each key stays on one partition. */
export const keyOf = (number: number): string => `k${number % keys}`
export const partitionOf = (number: number): number => number % partitions

/** Answers a function that makes the value of the record with this number. */
export function valueMaker(payload: Payload): (number: number) => Buffer {
  return makers[payload]()
}

const makers: Readonly<Record<Payload, () => (number: number) => Buffer>> = {
  json: () => jsonValue,
  row: () => rowValue,
  protobuf: () => protobufMaker(),
}

const filler = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(20)

/** An order of exactly 512 bytes. */
function jsonValue(number: number): Buffer {
  const order = {
    id: number,
    type: 'order.updated',
    ts: '2026-11-24T20:00:00.000Z',
    customer: { id: `c-${number % keys}`, name: 'Zoë Müller', country: 'DE' },
    lines: [
      { sku: 'A-1001', qty: 2, price: 12.5 },
      { sku: 'B-2002', qty: 1, price: 99.9 },
    ],
    total: 124.9,
    paid: number % 3 === 0,
    note: '',
  }
  order.note = filler.slice(0, jsonBytes - Buffer.byteLength(JSON.stringify(order)))
  return Buffer.from(JSON.stringify(order))
}

/** A row of a table, of exactly 200 bytes. */
function rowValue(number: number): Buffer {
  const row = { id: number, ts: '2026-11-24T20:00:00.000Z', customer: `c-${number % keys}`, sku: 'A-1001', qty: 2, note: '' }
  row.note = filler.slice(0, rowBytes - Buffer.byteLength(JSON.stringify(row)))
  return Buffer.from(JSON.stringify(row))
}

/** A message of about 465 bytes, 726 as JSON. */
function protobufMaker(): (number: number) => Buffer {
  const type = loadOrderType()
  const firstMs = 1_795_552_000_000
  return (number) => {
    const order = {
      id: `o-${number}`,
      type: 'order.updated',
      createdMs: firstMs + number,
      updatedMs: firstMs + 500 + number,
      customerId: `c-${number % keys}`,
      customerName: 'Zoë Müller',
      email: 'zoe@example.test',
      country: 'DE',
      city: 'Köln',
      street: 'Ringstraße 12',
      zip: '50667',
      lines: [
        { sku: 'A-1001', qty: 2, price: 12.5 },
        { sku: 'B-2002', qty: 1, price: 99.9 },
      ],
      total: 124.9,
      tax: 19.9,
      currency: 'EUR',
      paid: true,
      version: number % 100,
      status: 1,
      tags: ['web', 'gift', 'priority'],
      token: Buffer.alloc(32, number),
      note: 'n'.repeat(215),
    }
    return Buffer.from(type.encode(order).finish())
  }
}
