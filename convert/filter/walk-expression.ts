import type { parse } from '@bufbuild/cel'

export type Parsed = ReturnType<typeof parse>
export type Expr = Parsed['expr']

/** The expressions directly inside of one, each with the names that only it knows. */
export function partsOf({ exprKind }: Expr): { readonly part: Expr; readonly names: readonly string[] }[] {
  const plain = (...parts: (Expr | undefined)[]) =>
    parts.filter((part) => part !== undefined).map((part) => ({ part, names: [] }))
  switch (exprKind.case) {
    case 'selectExpr':
      return plain(exprKind.value.operand)
    case 'callExpr':
      return plain(exprKind.value.target, ...exprKind.value.args)
    case 'listExpr':
      return plain(...exprKind.value.elements)
    case 'structExpr':
      return exprKind.value.entries.flatMap(({ keyKind, value }) =>
        plain(keyKind.case === 'mapKey' ? keyKind.value : undefined, value),
      )
    case 'comprehensionExpr': {
      const { iterRange, accuInit, loopCondition, loopStep, result, iterVar, accuVar } = exprKind.value
      const names = [iterVar, accuVar]
      return [...plain(iterRange, accuInit), ...plain(loopCondition, loopStep, result).map(({ part }) => ({ part, names }))]
    }
    default:
      return []
  }
}
