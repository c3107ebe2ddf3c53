import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { readMetricsPage, registeredMetrics, unitOf, withMetrics } from './metrics-page.ts'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const registered = Object.values(registeredMetrics()).flat()
const own = registered.filter(({ name }) => name.startsWith('ferry_'))

test('docs/metrics.md says what the processes register; npm run readme writes it', async () => {
  const page = await readMetricsPage()
  expect(page.match(/<!-- end -->/g)).toHaveLength(3)
  expect(withMetrics(page)).toBe(page)
})

test('every metric is named as Prometheus asks: ferry_, base units, _total for counters alone; every label has a bound', () => {
  expect(own.length).toBeGreaterThan(60)
  for (const { name, type, help, labels } of own) {
    expect(name).toMatch(/^ferry_[a-z]+(_[a-z]+)*$/)
    expect(name.endsWith('_total'), `${name} is a ${type}`).toBe(type === 'counter')
    expect(name).not.toMatch(/_(ms|milliseconds|us|kib|mib|minutes|count|sum|bucket)(_|$)/)
    if (type === 'histogram') expect(unitOf(name), name).toBe('seconds')
    expect(help, name).toMatch(/^[A-Z0-9].*[^.]$/)
    for (const [label, values] of Object.entries(labels)) {
      expect(label).toMatch(/^[a-z]+(_[a-z]+)*$/)
      expect(values.length, `${name}: what are the values of ${label}?`).toBeGreaterThan(3)
    }
  }
})

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly runbook_url: string }
}

/** What scraping adds, and a histogram's own. */
const otherLabels = ['job', 'instance', 'le']

/** Names of what an expression asks for that is not registered, labels included; none when all is well. */
function unknownIn(expression: string): string[] {
  const bare = expression.replaceAll(/"(\\.|[^"\\])*"/g, '""')
  const names = [...bare.matchAll(/\b(ferry|nodejs|process)_[a-z0-9_]+/g)].map(([name]) => name)
  const metrics = names.map((name) => {
    const histogram = registered.find(
      (each) => each.type === 'histogram' && new RegExp(`^${each.name}_(bucket|sum|count)$`).test(name),
    )
    return histogram ?? registered.find((each) => each.name === name)
  })
  const labels = new Set([...otherLabels, ...metrics.flatMap((each) => Object.keys(each?.labels ?? {}))])
  const matched = [...bare.matchAll(/[{,]\s*([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!)
  const grouped = [...bare.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/,\s*/))
  return [
    ...names.filter((_, at) => metrics[at] === undefined),
    ...[...matched, ...grouped].filter((label) => !labels.has(label)),
  ]
}

/** Values that an expression compares a label with, of labels whose values are listed. */
function unknownValuesIn(expression: string): string[] {
  return [...expression.matchAll(/\b((?:ferry)_[a-z_]+)\{([^}]*)\}/g)].flatMap(([, name, list]) => {
    const labels = registered.find((each) => each.name === name)?.labels ?? {}
    return [...list!.matchAll(/([a-z_]+)(?:=~|!~|!=|=)"([^"]*)"/g)].flatMap(([, label, values]) => {
      const known = [...(labels[label!] ?? '').matchAll(/`([^`]+)`/g)].map(([, value]) => value)
      const isListed = known.length > 1 && (labels[label!] ?? '').replaceAll(/`[^`]+`|, /g, '') === ''
      return isListed ? values!.split('|').filter((value) => !known.includes(value)) : []
    })
  })
}

test('the check of expressions finds what does not exist', () => {
  expect(unknownIn('sum by (use_case, nothing) (rate(ferry_nothing{use_case="a", other="b"}[5m]))')).toEqual([
    ...['ferry_nothing', 'use_case', 'other', 'use_case', 'nothing'],
  ])
  expect(unknownIn('sum by (le) (rate(ferry_request_duration_seconds_bucket[5m]))')).toEqual([])
  expect(unknownValuesIn('ferry_deliveries_total{outcome=~"failed|lost"}')).toEqual(['lost'])
})

test('every alert asks for metrics, labels and values that exist, and leads to a section of docs/operations.md', () => {
  const { groups } = parse(read('deploy/prometheus/alerts.yaml')) as { groups: { name: string; rules: Rule[] }[] }
  const rules = groups.flatMap((group) => group.rules)
  const sections = [...read('docs/operations.md').matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  )
  expect(rules.length).toBeGreaterThan(20)
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  for (const { alert, expr, for: lasting, labels, annotations } of rules) {
    expect(alert).toMatch(/^Ferry[A-Za-z]+$/)
    expect([...unknownIn(expr), ...unknownValuesIn(expr)], `${alert}: ${expr}`).toEqual([])
    expect(expr, alert).toMatch(/_/)
    expect(lasting ?? '0m', alert).toMatch(/^\d+[smh]$/)
    expect(['page', 'warn'], alert).toContain(labels.severity)
    expect(annotations.summary.length, alert).toBeGreaterThan(10)
    const [page, section] = annotations.runbook_url.split('#')
    expect(page).toBe('docs/operations.md')
    expect(sections, `${alert} leads to ${section}`).toContain(section)
    const known = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(', '))
    for (const [, label] of annotations.summary.matchAll(/\$labels\.([a-z_]+)/g))
      expect(known.length === 0 ? [...known, 'instance'] : known, `${alert} names ${label}`).toContain(label)
  }
})

interface Panel {
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

test('every panel of the dashboard asks for metrics, labels and values that exist, and lies beside the others', () => {
  const { panels } = JSON.parse(read('deploy/grafana/ferry-prometheus.json')) as { panels: Panel[] }
  const shown = new Set<string>()
  for (const { title, type, targets = [], gridPos } of panels) {
    expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
    if (type !== 'row') expect(targets.length, title).toBeGreaterThan(0)
    for (const { expr } of targets) {
      const plain = expr.replaceAll('$__rate_interval', '5m')
      expect(
        [...unknownIn(plain), ...unknownValuesIn(plain.replaceAll(/[a-z_]+=~"\$[a-z_]+",? ?/g, ''))],
        `${title}: ${expr}`,
      ).toEqual([])
      for (const [name] of plain.matchAll(/\bferry_[a-z_]+/g)) shown.add(name.replace(/_(bucket|sum|count)$/, ''))
    }
  }
  const left = new Set(own.map(({ name }) => name).filter((name) => !shown.has(name) && !name.endsWith('_duration_seconds')))
  // Sought when something is asked for, not watched.
  const unwatched = ['api_calls_in_flight', 'audit_changes_total', 'build_info', 'migrations_applied_total', 'schemas']
  expect([...left].sort()).toEqual(unwatched.map((each) => `ferry_${each}`))
})
