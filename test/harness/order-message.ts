import { create, createFileRegistry, toBinary } from '@bufbuild/protobuf'
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'

export const orderMessageName = 'shop.v1.Order'

const field = (name: string, number: number, type: Type, label: Label = Label.OPTIONAL) => ({ name, number, type, label })

const set = create(FileDescriptorSetSchema, {
  file: [
    {
      name: 'shop/v1/order.proto',
      package: 'shop.v1',
      syntax: 'proto3',
      messageType: [
        {
          name: 'Order',
          field: [
            { ...field('id', 1, Type.INT64), jsonName: 'id' },
            { ...field('customer_name', 2, Type.STRING), jsonName: 'customerName' },
            { ...field('prices', 3, Type.DOUBLE, Label.REPEATED), jsonName: 'prices' },
          ],
        },
      ],
    },
  ],
})

const schema = createFileRegistry(set).getMessage(orderMessageName)!

/** What a team hands to Ferry. */
export const orderDescriptorSet = (): Uint8Array<ArrayBuffer> => new Uint8Array(toBinary(FileDescriptorSetSchema, set))

/** The same as a schema registry has it. */
export const orderFile = (): Uint8Array => toBinary(FileDescriptorProtoSchema, set.file[0]!)

export const encodeOrder = (id: number, customerName: string, prices: readonly number[]): Buffer =>
  Buffer.from(toBinary(schema, create(schema, { id: BigInt(id), customerName, prices })))
