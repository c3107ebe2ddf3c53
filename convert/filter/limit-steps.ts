import { stepFunction } from './filter-functions.ts'
import { type Expr, partsOf } from './walk-expression.ts'

/** Lets every loop of the expression call the step function before each round. Changes the expression. */
export function limitSteps(expr: Expr): void {
  const { exprKind } = expr
  for (const { part } of partsOf(expr)) limitSteps(part)
  if (exprKind.case !== 'comprehensionExpr') return
  const condition = exprKind.value.loopCondition!
  exprKind.value.loopCondition = {
    ...condition,
    exprKind: {
      case: 'callExpr',
      value: { $typeName: 'cel.expr.Expr.Call', function: stepFunction, args: [condition] },
    },
  }
}
