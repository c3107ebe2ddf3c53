import { styleText } from 'node:util'

export type Paint = (text: string) => string

export interface Paints {
  readonly good: Paint
  readonly bad: Paint
  readonly warn: Paint
  readonly faint: Paint
  readonly strong: Paint
}

const asIs: Paint = (text) => text
const plain: Paints = { good: asIs, bad: asIs, warn: asIs, faint: asIs, strong: asIs }
const paint =
  (style: Parameters<typeof styleText>[0]): Paint =>
  (text) =>
    styleText(style, text, { validateStream: false })

/** Colours, or none. */
export function paints(colours: boolean): Paints {
  if (!colours) return plain
  return { good: paint('green'), bad: paint('red'), warn: paint('yellow'), faint: paint('dim'), strong: paint('bold') }
}
