// What a worker or control plane and its JSONata process say to each other. The process first says READY.

/** Texts to evaluate an expression on, one after the other. */
export interface Evaluate {
  readonly expression: string
  /** JSON. */
  readonly texts: readonly string[]
  /** After so long the process answers what it has, and leaves the others. */
  readonly sliceMs: number
}

export type Evaluated = { readonly text: string } | { readonly error: string }

/** The first of the texts, one at least. */
export interface Evaluations {
  readonly results: readonly Evaluated[]
  readonly spentMs: number
}

/** Given to the process when it starts. */
export interface EvaluatorLimits {
  /** One evaluation may take so long. */
  readonly timeoutMs: number
  /** Levels of calls in each other. */
  readonly depthMax: number
  /** Members of a list that an expression makes. */
  readonly listMax: number
  /** Characters of a result. */
  readonly charsMax: number
}
