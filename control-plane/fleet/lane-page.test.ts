import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pageOfLanes } from './lane-page.ts'
import type { LaneView } from './lane-view.ts'
import type { ViewedUseCase } from './use-case-view.ts'

type Counts = readonly { readonly name: string; readonly lanes: number }[]

const useCasesOf = (counts: Counts): ViewedUseCase[] => counts.map(({ name }) => ({ name }) as ViewedUseCase)

const lanesOf =
  (counts: Counts) =>
  ({ name }: ViewedUseCase): LaneView[] => {
    const { lanes } = counts.find((each) => each.name === name)!
    return Array.from({ length: lanes }, (_, partition) => ({ useCase: name, id: { partition } }) as LaneView)
  }

const counts = fc.uniqueArray(fc.record({ name: fc.stringMatching(/^[a-z]{1,3}$/), lanes: fc.nat(5) }), {
  selector: (each) => each.name,
  maxLength: 12,
})

test('pages one after the other hold every lane once, by name and partition', () => {
  fc.assert(
    fc.property(counts, fc.integer({ min: 1, max: 7 }), (some, size) => {
      const seen: string[] = []
      for (let token = '', pages = 0; ; pages++) {
        const page = pageOfLanes(useCasesOf(some), lanesOf(some), size, token)
        const lanes = page.parts.flatMap((part) => part.lanes)
        expect(lanes.length).toBeLessThanOrEqual(size)
        seen.push(...lanes.map((lane) => `${lane.useCase} ${lane.id.partition}`))
        token = page.nextPageToken
        if (token === '') break
        // A page is never empty while there is another.
        expect(lanes.length).toBeGreaterThan(0)
        expect(pages).toBeLessThan(100)
      }
      const all = [...some].sort((a, b) => (a.name < b.name ? -1 : 1))
      expect(seen).toEqual(
        all.flatMap(({ name, lanes }) => Array.from({ length: lanes }, (_, partition) => `${name} ${partition}`)),
      )
    }),
  )
})

test('a token that is none is refused', () => {
  expect(() => pageOfLanes([], () => [], 0, 'abc')).toThrow('page_token must be')
})
