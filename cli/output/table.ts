import { cut, textWidth } from './text-width.ts'

export interface Column<Row> {
  readonly title: string
  readonly of: (row: Row) => string
  /** Numbers stand at the right. */
  readonly right?: boolean
  /** Gives way when the table is wider than the terminal, down to so many columns. */
  readonly shrinkTo?: number
  /** Colours a cell after it was cut and filled. */
  readonly paint?: (cell: string, row: Row) => string
}

const gap = '  '

/** Title line and rows. Columns that are empty in every row are left out. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], widthMax: number | undefined): string {
  const all = columns.map((column) => ({ column, cells: rows.map((row) => column.of(row)) }))
  const shown = all.filter(({ cells }) => cells.some((cell) => cell !== ''))
  const wanted = shown.map(({ column, cells }) => Math.max(textWidth(column.title), ...cells.map(textWidth)))
  const columnWidths = widthMax === undefined ? wanted : shrink(wanted, shown, widthMax)
  const line = (cellOf: (index: number) => string, paint?: (cell: string, index: number) => string): string =>
    shown
      .map(({ column }, index) => {
        const cell = cut(cellOf(index), columnWidths[index]!)
        const filled = fill(cell, columnWidths[index]!, column.right === true, index === shown.length - 1)
        return paint === undefined ? filled : paint(filled, index)
      })
      .join(gap)
  const lines = rows.map((row, at) =>
    line(
      (index) => shown[index]!.cells[at]!,
      (cell, index) => shown[index]!.column.paint?.(cell, row) ?? cell,
    ),
  )
  return [line((index) => shown[index]!.column.title), ...lines].map((text) => `${text.trimEnd()}\n`).join('')
}

function fill(cell: string, width: number, right: boolean, isLast: boolean): string {
  const spaces = ' '.repeat(Math.max(0, width - textWidth(cell)))
  return right ? spaces + cell : isLast ? cell : cell + spaces
}

/** Takes from the widest column that may give, until the table fits or none can give more. */
function shrink<Row>(wanted: readonly number[], shown: readonly { column: Column<Row> }[], widthMax: number): number[] {
  const widths = [...wanted]
  let excess = widths.reduce((sum, width) => sum + width, 0) + gap.length * (widths.length - 1) - widthMax
  while (excess > 0) {
    let widest = -1
    for (const [index, width] of widths.entries()) {
      const least = shown[index]!.column.shrinkTo
      if (least !== undefined && width > least && (widest < 0 || width > widths[widest]!)) widest = index
    }
    if (widest < 0) break
    widths[widest]!--
    excess--
  }
  return widths
}
