const name = '1 to 63 lower-case letters, digits and dashes that start with a letter'

/** What each pattern of the contract asks for, as the end of "must ...". A test holds that no pattern is missing here. */
export const patternWords: ReadonlyMap<string, string> = new Map([
  [
    '^namespaces/[a-z][a-z0-9-]{0,62}/useCases/[a-z][a-z0-9-]{0,62}$',
    `be namespaces/{namespace}/useCases/{id}, where namespace and id are ${name} (such as namespaces/billing/useCases/invoices)`,
  ],
  ['^(namespaces/[a-z][a-z0-9-]{0,62})?$', `be namespaces/{namespace}, where namespace is ${name}, or empty`],
  ['^[a-z][a-z0-9-]{0,62}$', `be ${name}`],
  ['^([a-z][a-z0-9-]{0,62}|[*])$', `be ${name}, or * for all`],
  ['^tokens/[a-z][a-z0-9-]{0,62}$', `be tokens/{id}, where id is ${name}`],
  [
    '^([0-9]{1,3}-[A-Z_]{1,40}-[0-9a-f]{16})?$',
    'be the id of a failure group, as ListFailureGroups answers it (such as 422-NON_RETRYABLE_STATUS-0123456789abcdef), or empty',
  ],
  ['^[A-Z_]{1,50}$', 'be an action of the audit, such as PAUSE or SKIP_DELIVERIES'],
  ['^([a-z][a-z0-9-]{0,62})?$', `be ${name}, or empty`],
  ['^[a-zA-Z0-9._-]{0,249}$', 'be made of at most 249 letters, digits, dots, underscores and dashes, or empty'],
  ['^[a-zA-Z0-9._-]+$', 'be made of letters, digits, dots, underscores and dashes only'],
  ['^([0-9a-f]{64})?$', 'be a SHA-256 in 64 lower-case hexadecimal digits, or empty'],
  ['^[1-5][0-9]{2}(-[1-5][0-9]{2})?$', 'be an HTTP status such as 200 or a range such as 200-299'],
  [
    '^!?[1-5][0-9]{2}(-[1-5][0-9]{2})?$',
    'be an HTTP status such as 503 or a range such as 500-599, with ! in front to exclude it (such as !501)',
  ],
  [
    '^([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?(\\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)*)?$',
    'be the name of a host, such as orders.internal, or empty',
  ],
  ['^(s-[0-9a-f]{20})?$', 'be the ref that an answer gave, s- and 20 hexadecimal digits, or empty'],
  [
    '^[\\x21\\x23-\\x5b\\x5d-\\x7e]{1,200}$',
    'be a scope of 1 to 200 visible ASCII characters without spaces, quotation marks and backslashes',
  ],
])
