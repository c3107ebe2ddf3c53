/** The load test cannot go on; the message says why, and what to do. */
export class LoadTestError extends Error {}
