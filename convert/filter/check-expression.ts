import type { CelEnv } from '@bufbuild/cel'
import { RE2JS } from '@bufbuild/re2'
import type { ExpressionProblem } from '../expression-error.ts'
import { type Expr, type Parsed, partsOf } from './walk-expression.ts'

const typeNames = ['bool', 'bytes', 'double', 'int', 'list', 'map', 'null_type', 'string', 'type', 'uint', 'google']

/** What else can be seen without a record: names that nothing has, patterns that are none, and a result that is never true or false. */
export function checkExpression(parsed: Parsed, env: CelEnv, variables: readonly string[]): ExpressionProblem[] {
  const problems: ExpressionProblem[] = []
  const functions = [...new Set([...env.funcs].map(({ name }) => name))]
  const add = ({ id }: Expr, message: string): void => {
    problems.push({ message, position: parsed.sourceInfo?.positions[String(id)] })
  }
  const visit = (expr: Expr, known: ReadonlySet<string>): void => {
    const { exprKind } = expr
    if (exprKind.case === 'identExpr' && !known.has(exprKind.value.name))
      add(expr, `there is no variable ${exprKind.value.name}; there are ${variables.join(', ')}`)
    if (exprKind.case === 'callExpr') {
      const { function: name, args } = exprKind.value
      if (/^[\w.]+$/.test(name) && !name.startsWith('_') && !functions.includes(name)) {
        const called = functions.filter((each) => /^[a-z]\w*$/i.test(each)).sort()
        add(expr, `there is no function ${name}; there are ${called.join(', ')}, and all, exists, exists_one, filter, map, has`)
      }
      if (name === 'matches') checkPattern(args.at(-1)!)
    }
    for (const { part, names } of partsOf(expr)) visit(part, names.length === 0 ? known : new Set([...known, ...names]))
  }
  const checkPattern = (pattern: Expr): void => {
    const constant = pattern.exprKind.case === 'constExpr' ? pattern.exprKind.value.constantKind : undefined
    if (constant?.case !== 'stringValue') return
    try {
      RE2JS.compile(constant.value)
    } catch (error) {
      add(pattern, `this is no regular expression of RE2: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  visit(parsed.expr, new Set([...variables, ...typeNames]))
  const made = madeBy(parsed.expr)
  if (made !== undefined) add(parsed.expr, `a filter must give true or false; this always gives ${made}`)
  return problems
}

const makers = new Map<string, string>([
  ...(['_+_', '_-_', '_*_', '_/_', '_%_', '-_', 'int', 'uint', 'double', 'size'] as const).map(
    (name) => [name, 'something else'] as const,
  ),
  ...(['string', 'lowerAscii', 'upperAscii', 'trim', 'substring', 'charAt'] as const).map((name) => [name, 'a text'] as const),
])

/** What an expression makes when that is never a truth value. */
function madeBy({ exprKind }: Expr): string | undefined {
  switch (exprKind.case) {
    case 'constExpr':
      return exprKind.value.constantKind.case === 'boolValue' ? undefined : 'the same constant'
    case 'listExpr':
      return 'a list'
    case 'structExpr':
      return 'an object'
    case 'callExpr':
      return makers.get(exprKind.value.function)
    default:
      return undefined
  }
}

/** Which of the variables an expression uses. */
export function usedVariables(expr: Expr): Set<string> {
  const used = new Set<string>()
  const visit = (each: Expr, hidden: ReadonlySet<string>): void => {
    if (each.exprKind.case === 'identExpr' && !hidden.has(each.exprKind.value.name)) used.add(each.exprKind.value.name)
    for (const { part, names } of partsOf(each)) visit(part, names.length === 0 ? hidden : new Set([...hidden, ...names]))
  }
  visit(expr, new Set())
  return used
}
