import type { DescExtension, DescField, Registry } from '@bufbuild/protobuf'

const numberMax = 2 ** 29 - 1

/**
 * Checks what compilers check and the registry does not: a descriptor set need not come from a compiler, and decoders rely on
 * it. Throws an error that names the type.
 */
export function checkTypes(registry: Registry): void {
  for (const type of registry) {
    if (type.kind === 'extension') checkNumber(type)
    if (type.kind === 'enum' && type.values.length === 0) throw new Error(`${type} has no values`)
    if (type.kind !== 'message') continue
    const numbers = new Set<number>()
    for (const field of type.fields) {
      checkNumber(field)
      if (numbers.has(field.number)) throw new Error(`${field} has the number ${field.number} of another field`)
      numbers.add(field.number)
    }
  }
}

function checkNumber(field: DescField | DescExtension): void {
  if (field.number < 1 || field.number > numberMax)
    throw new Error(`${field} has the number ${field.number}, which no field can have`)
}
