import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')

/** The descriptor set of the .proto files beside this one, with all imports, as a use case brings it. */
export function buildDescriptorSet(): Buffer {
  const buf = join(root, 'node_modules/.bin/buf')
  return execFileSync(buf, ['build', import.meta.dirname, '--exclude-source-info', '-o', '-'], { maxBuffer: 16 * 1024 * 1024 })
}
