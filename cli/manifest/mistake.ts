/** Something wrong in a file, and where. */
export interface Mistake {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** `spec.retry.max_retries`; empty when it is no field's. */
  readonly field: string
  readonly message: string
}

/** `orders.yaml:12: spec.retry.max_retries: must be ...` */
export const mistakeLine = ({ file, line, field, message }: Mistake): string =>
  `${file}:${line}: ${field === '' ? '' : `${field}: `}${message}`

export const byPlace = (a: Mistake, b: Mistake): number => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1)
