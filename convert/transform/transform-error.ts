/** A record that a transform cannot be done with. The message says which step, which field and why. */
export class TransformError extends Error {
  override readonly name = 'TransformError'
}
