-- What the attempt log keeps. Statements are separated by a line that holds only a semicolon.
-- Workers insert into attempt_inserts only: one insert with one deduplication token reaches attempts, outcomes and payloads
-- (docs/decisions/0002), so that an acknowledgement means all three have the rows, and a repeated insert changes none of them.

CREATE TABLE IF NOT EXISTS attempt_inserts
(
    -- the same for all rows of a lane
    uid String, namespace String, use_case String, revision UInt64,
    cluster String, topic String, partition UInt32, replay String, epoch UInt64, worker String,
    purpose Enum8('DELIVER' = 1, 'SHADOW' = 2, 'TEST' = 3), method String, url String,
    -- one row
    offset UInt64, round UInt32, attempt UInt32,
    trigger Enum8('UNSPECIFIED' = 0, 'INITIAL' = 1, 'RETRY' = 2, 'RETRY_BATCH' = 3, 'REPLAY' = 4),
    retry_batch String, request_id UInt64, item UInt32,
    outcome Enum8('DELIVERED' = 1, 'FAILED' = 2, 'SKIPPED' = 3, 'SUPERSEDED' = 4, 'RETRY' = 5),
    reason Enum8('NONE' = 0, 'RETRYABLE_STATUS' = 1, 'NON_RETRYABLE_STATUS' = 2, 'TIMEOUT' = 3, 'CONNECTION_FAILED' = 4,
        'DNS_FAILED' = 5, 'TLS_FAILED' = 6, 'CONNECTION_RESET' = 7, 'INVALID_RESPONSE' = 8, 'ABORTED' = 9, 'DECODE_FAILED' = 10,
        'MAX_RETRIES_REACHED' = 11, 'MAX_ELAPSED' = 12, 'TOMBSTONE' = 13, 'DELETED' = 14, 'NEWER_DELIVERED' = 15, 'PAYLOAD_EXPIRED' = 16,
        'OPERATOR' = 17, 'NEWER_VERSION' = 18, 'ANSWER' = 19, 'FILTERED' = 20, 'FILTER_FAILED' = 21, 'BODY_TOO_LARGE' = 22,
        'TRANSFORM_FAILED' = 23,
        'STATUS_SKIPPED' = 24, 'STATUS_PAUSED' = 25,
        'ENDPOINT_BLOCKED' = 32, 'TOKEN_REFUSED' = 33, 'BATCH_REFUSED' = 36, 'BEHIND_FAILED_ITEM' = 37),
    status UInt16, attempt_time DateTime64(3, 'UTC'), expire_time DateTime('UTC'), latency_us UInt32,
    record_time DateTime64(3, 'UTC'), key String, key_hash UInt64,
    request_headers Map(LowCardinality(String), String), request_bytes UInt32, request_body String,
    response_headers Map(LowCardinality(String), String), response_bytes UInt32, response_body String,
    error String,
    packed_record String
)
ENGINE = Null
;

-- One row per record and HTTP request, for as long as its use case asks.
-- retention_class keeps rows that expire together in the same parts, so that whole parts are dropped.
CREATE TABLE IF NOT EXISTS attempts
(
    uid LowCardinality(String), namespace LowCardinality(String), use_case LowCardinality(String), revision UInt64 CODEC(ZSTD(1)),
    cluster LowCardinality(String), topic LowCardinality(String), partition UInt32 CODEC(ZSTD(1)), replay LowCardinality(String),
    offset UInt64 CODEC(Delta, ZSTD(1)), round UInt32 CODEC(ZSTD(1)), epoch UInt64 CODEC(ZSTD(1)), attempt UInt32 CODEC(ZSTD(1)),
    purpose Enum8('DELIVER' = 1, 'SHADOW' = 2, 'TEST' = 3),
    trigger Enum8('UNSPECIFIED' = 0, 'INITIAL' = 1, 'RETRY' = 2, 'RETRY_BATCH' = 3, 'REPLAY' = 4),
    retry_batch LowCardinality(String), request_id UInt64 CODEC(Delta, ZSTD(1)), item UInt32 CODEC(ZSTD(1)),
    outcome Enum8('DELIVERED' = 1, 'FAILED' = 2, 'SKIPPED' = 3, 'SUPERSEDED' = 4, 'RETRY' = 5),
    reason Enum8('NONE' = 0, 'RETRYABLE_STATUS' = 1, 'NON_RETRYABLE_STATUS' = 2, 'TIMEOUT' = 3, 'CONNECTION_FAILED' = 4,
        'DNS_FAILED' = 5, 'TLS_FAILED' = 6, 'CONNECTION_RESET' = 7, 'INVALID_RESPONSE' = 8, 'ABORTED' = 9, 'DECODE_FAILED' = 10,
        'MAX_RETRIES_REACHED' = 11, 'MAX_ELAPSED' = 12, 'TOMBSTONE' = 13, 'DELETED' = 14, 'NEWER_DELIVERED' = 15, 'PAYLOAD_EXPIRED' = 16,
        'OPERATOR' = 17, 'NEWER_VERSION' = 18, 'ANSWER' = 19, 'FILTERED' = 20, 'FILTER_FAILED' = 21, 'BODY_TOO_LARGE' = 22,
        'TRANSFORM_FAILED' = 23,
        'STATUS_SKIPPED' = 24, 'STATUS_PAUSED' = 25,
        'ENDPOINT_BLOCKED' = 32, 'TOKEN_REFUSED' = 33, 'BATCH_REFUSED' = 36, 'BEHIND_FAILED_ITEM' = 37),
    status UInt16 CODEC(ZSTD(1)), attempt_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    expire_time DateTime('UTC') CODEC(Delta, ZSTD(1)), latency_us UInt32 CODEC(T64, ZSTD(1)),
    record_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)), key String CODEC(ZSTD(1)), key_hash UInt64 CODEC(ZSTD(1)),
    method LowCardinality(String), url LowCardinality(String),
    request_headers Map(LowCardinality(String), String) CODEC(ZSTD(1)), request_bytes UInt32 CODEC(ZSTD(1)), request_body String CODEC(ZSTD(1)),
    response_headers Map(LowCardinality(String), String) CODEC(ZSTD(1)), response_bytes UInt32 CODEC(ZSTD(1)), response_body String CODEC(ZSTD(1)),
    error String CODEC(ZSTD(1)), worker LowCardinality(String),
    retention_class UInt16 MATERIALIZED multiIf(
        expire_time <= attempt_time + 3600, 1, expire_time <= attempt_time + 21600, 6, expire_time <= attempt_time + 86400, 24,
        expire_time <= attempt_time + 259200, 72, expire_time <= attempt_time + 604800, 168, expire_time <= attempt_time + 2592000, 720,
        expire_time <= attempt_time + 7776000, 2160, 9600),
    -- when ClickHouse took the row: Tail follows it, and rows from the spool come in their turn
    log_time DateTime64(3, 'UTC') MATERIALIZED now64(3) CODEC(DoubleDelta, ZSTD(1)),
    -- rows are sorted by uid, and analysts ask by name
    INDEX names (namespace, use_case) TYPE set(100) GRANULARITY 1,
    INDEX log_time_bounds log_time TYPE minmax GRANULARITY 1,
    INDEX key_bloom key TYPE bloom_filter(0.01) GRANULARITY 1,
    -- A delivery is looked up by its offset, and attempts are sorted by time. Within a partition offsets rise with time, so the bounds
    -- of each granule find the few that may hold it: of 2.6 million attempts of a use case 57,000 are read instead of 1.3 million.
    INDEX offset_bounds offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (toDate(attempt_time), retention_class)
ORDER BY (uid, attempt_time, partition, offset)
TTL expire_time
SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 60, non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1
;

-- What ended: certificates, takeovers and retry batches ask here. Kept 400 days, longer than any attempt.
CREATE TABLE IF NOT EXISTS outcomes
(
    uid LowCardinality(String), cluster LowCardinality(String), topic LowCardinality(String), partition UInt32, replay LowCardinality(String),
    offset UInt64 CODEC(Delta, ZSTD(1)), round UInt32 CODEC(ZSTD(1)), epoch UInt64 CODEC(ZSTD(1)), attempt UInt32 CODEC(ZSTD(1)),
    outcome Enum8('DELIVERED' = 1, 'FAILED' = 2, 'SKIPPED' = 3, 'SUPERSEDED' = 4),
    reason Enum8('NONE' = 0, 'RETRYABLE_STATUS' = 1, 'NON_RETRYABLE_STATUS' = 2, 'TIMEOUT' = 3, 'CONNECTION_FAILED' = 4,
        'DNS_FAILED' = 5, 'TLS_FAILED' = 6, 'CONNECTION_RESET' = 7, 'INVALID_RESPONSE' = 8, 'ABORTED' = 9, 'DECODE_FAILED' = 10,
        'MAX_RETRIES_REACHED' = 11, 'MAX_ELAPSED' = 12, 'TOMBSTONE' = 13, 'DELETED' = 14, 'NEWER_DELIVERED' = 15, 'PAYLOAD_EXPIRED' = 16,
        'OPERATOR' = 17, 'NEWER_VERSION' = 18, 'ANSWER' = 19, 'FILTERED' = 20, 'FILTER_FAILED' = 21, 'BODY_TOO_LARGE' = 22,
        'TRANSFORM_FAILED' = 23,
        'STATUS_SKIPPED' = 24, 'STATUS_PAUSED' = 25,
        'ENDPOINT_BLOCKED' = 32, 'TOKEN_REFUSED' = 33, 'BATCH_REFUSED' = 36, 'BEHIND_FAILED_ITEM' = 37),
    status UInt16 CODEC(ZSTD(1)), retry_batch LowCardinality(String), key_hash UInt64 CODEC(ZSTD(1)),
    end_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)), record_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    -- of its attempt: a takeover counts an end only when that is in the log as well, unless it has expired (docs/decisions/0002)
    expire_time DateTime('UTC') CODEC(Delta, ZSTD(1)),
    -- of what did not succeed: the error, or the beginning of the answer, at most 200 characters
    text String CODEC(ZSTD(1)),
    namespace LowCardinality(String), use_case LowCardinality(String),
    -- Of what FAILED: the text with what differs from record to record taken out, so that equal causes are equal. The only place that says how.
    -- A text that was cut ends within a word, which is left out; patterns are cut short of where that makes a difference.
    error_pattern String MATERIALIZED if(outcome != 'FAILED', '', leftUTF8(
        replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(
            if(lengthUTF8(text) < 200, text, replaceRegexpOne(text, '[A-Za-z0-9_.:@-]*$', '')),
            '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}', '<uuid>'),
            '([0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?([.,][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?)|(\\b[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?)', '<time>'),
            '([A-Za-z0-9._%+-]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+)|(\\b[0-9]{1,3}([.][0-9]{1,3}){3}(:[0-9]+)?\\b)|(\\[?\\b([0-9a-fA-F]{1,4}:){2,7}(:?[0-9a-fA-F]{1,4})\\b\\]?(:[0-9]+)?)|(\\[?[0-9a-fA-F:]*::[0-9a-fA-F:]*[0-9][0-9a-fA-F:]*\\]?(:[0-9]+)?)', '<address>'),
            '\\b[0-9]+([.,][0-9]+)*\\b', '<number>'),
            '\\b[A-Za-z0-9_]*[0-9][A-Za-z0-9_]*\\b', '<id>'),
            '(<(number|id)>[ ,;]*){3,}', '<list>'), 120)) CODEC(ZSTD(1)),
    error_hash UInt64 MATERIALIZED if(outcome != 'FAILED', 0, sipHash64(error_pattern)) CODEC(ZSTD(1)),
    failure_group String ALIAS if(outcome != 'FAILED', '', concat(toString(status), '-', toString(reason), '-', lower(leftPad(hex(error_hash), 16, '0')))),
    INDEX names (namespace, use_case) TYPE set(100) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(end_time)
ORDER BY (uid, cluster, topic, partition, replay, offset, round, epoch, attempt)
TTL toDateTime(end_time) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;

-- Raw bytes of what failed, so that it can be sent again when Kafka no longer has it. Not for analysts.
CREATE TABLE IF NOT EXISTS payloads
(
    uid LowCardinality(String), cluster LowCardinality(String), topic LowCardinality(String), partition UInt32,
    offset UInt64 CODEC(Delta, ZSTD(1)), end_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    expire_time DateTime('UTC') CODEC(Delta, ZSTD(1)), packed_record String CODEC(ZSTD(3))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(end_time)
ORDER BY (uid, cluster, topic, partition, offset)
TTL expire_time
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;

-- Offsets that have no attempt, and why. runs are (first, last), both included.
CREATE TABLE IF NOT EXISTS ranges
(
    uid LowCardinality(String), cluster LowCardinality(String), topic LowCardinality(String), partition UInt32, replay LowCardinality(String),
    kind Enum8('FILTERED' = 1, 'TOMBSTONE' = 2, 'COMPACTED' = 3, 'TRANSACTION' = 4, 'RETENTION' = 5, 'TRUNCATED' = 6,
        'BEFORE_START' = 7, 'OPERATOR' = 8),
    reason LowCardinality(String), runs Array(Tuple(UInt64, UInt64)) CODEC(ZSTD(1)), epoch UInt64, worker LowCardinality(String),
    range_time DateTime64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(range_time)
ORDER BY (uid, cluster, topic, partition, replay, kind)
TTL toDateTime(range_time) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;

-- What attempts add up to, by minute and by hour; counts and latencies outlive the rows themselves (docs/decisions/0021).
-- Latencies are sketches (DDSketch): each quantile is within 1 %. Of attempts that were sent; `requests` counts a batch once.
CREATE TABLE IF NOT EXISTS attempt_minutes
(
    uid LowCardinality(String), namespace LowCardinality(String), use_case LowCardinality(String),
    purpose Enum8('DELIVER' = 1, 'SHADOW' = 2, 'TEST' = 3), minute DateTime('UTC') CODEC(Delta, ZSTD(1)),
    attempts SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), requests SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    delivered SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), failed SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    skipped SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), superseded SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    retried SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), unanswered SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    status_1xx SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), status_2xx SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    status_3xx SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), status_4xx SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    status_5xx SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    latency AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), UInt32) CODEC(ZSTD(1)),
    latency_max_us SimpleAggregateFunction(max, UInt32) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (uid, namespace, use_case, purpose, minute)
TTL minute + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
;

CREATE TABLE IF NOT EXISTS attempt_hours
(
    uid LowCardinality(String), namespace LowCardinality(String), use_case LowCardinality(String),
    purpose Enum8('DELIVER' = 1, 'SHADOW' = 2, 'TEST' = 3), hour DateTime('UTC') CODEC(Delta, ZSTD(1)),
    attempts SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), requests SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    delivered SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), failed SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    skipped SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), superseded SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    retried SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), unanswered SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    status_1xx SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), status_2xx SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    status_3xx SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)), status_4xx SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    status_5xx SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1)),
    latency AggregateFunction(quantilesDD(0.01, 0.5, 0.95, 0.99), UInt32) CODEC(ZSTD(1)),
    latency_max_us SimpleAggregateFunction(max, UInt32) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (uid, namespace, use_case, purpose, hour)
TTL hour + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
;

CREATE MATERIALIZED VIEW IF NOT EXISTS attempt_inserts_to_attempts TO attempts AS
SELECT uid, namespace, use_case, revision, cluster, topic, partition, replay, offset, round, epoch, attempt, purpose, trigger, retry_batch,
    request_id, item, outcome, reason, status, attempt_time, expire_time, latency_us, record_time, key, key_hash, method, url,
    request_headers, request_bytes, request_body, response_headers, response_bytes, response_body, error, worker
FROM attempt_inserts
;

CREATE MATERIALIZED VIEW IF NOT EXISTS attempt_inserts_to_outcomes TO outcomes AS
SELECT uid, cluster, topic, partition, replay, offset, round, epoch, attempt, outcome, reason, status, retry_batch, key_hash,
    attempt_time + toIntervalMillisecond(intDiv(latency_us, 1000)) AS end_time, record_time, expire_time,
    if(outcome = 'DELIVERED', '', leftUTF8(if(error != '', error, response_body), 200)) AS text, namespace, use_case
FROM attempt_inserts
WHERE outcome != 'RETRY' AND (purpose = 'DELIVER' OR replay != '')
;

CREATE MATERIALIZED VIEW IF NOT EXISTS attempt_inserts_to_payloads TO payloads AS
SELECT uid, cluster, topic, partition, offset, attempt_time + toIntervalMillisecond(intDiv(latency_us, 1000)) AS end_time, expire_time, packed_record
FROM attempt_inserts
WHERE packed_record != ''
;

-- From attempts, and not from attempt_inserts: rows that completeInsert brings later are counted as well.
CREATE MATERIALIZED VIEW IF NOT EXISTS attempts_to_minutes TO attempt_minutes AS
SELECT uid, namespace, use_case, purpose, toStartOfMinute(attempt_time) AS minute, count() AS attempts,
    countIf(attempt > 0 AND item = 0) AS requests, countIf(outcome = 'DELIVERED') AS delivered, countIf(outcome = 'FAILED') AS failed,
    countIf(outcome = 'SKIPPED') AS skipped, countIf(outcome = 'SUPERSEDED') AS superseded, countIf(outcome = 'RETRY') AS retried,
    countIf(attempt > 0 AND status = 0) AS unanswered, countIf(status BETWEEN 100 AND 199) AS status_1xx,
    countIf(status BETWEEN 200 AND 299) AS status_2xx, countIf(status BETWEEN 300 AND 399) AS status_3xx,
    countIf(status BETWEEN 400 AND 499) AS status_4xx, countIf(status BETWEEN 500 AND 999) AS status_5xx,
    quantilesDDStateIf(0.01, 0.5, 0.95, 0.99)(latency_us, attempt > 0) AS latency, maxIf(latency_us, attempt > 0) AS latency_max_us
FROM attempts GROUP BY uid, namespace, use_case, purpose, minute
;

CREATE MATERIALIZED VIEW IF NOT EXISTS attempt_minutes_to_hours TO attempt_hours AS
SELECT uid, namespace, use_case, purpose, toStartOfHour(minute) AS hour, sum(attempts) AS attempts, sum(requests) AS requests,
    sum(delivered) AS delivered, sum(failed) AS failed, sum(skipped) AS skipped, sum(superseded) AS superseded, sum(retried) AS retried,
    sum(unanswered) AS unanswered, sum(status_1xx) AS status_1xx, sum(status_2xx) AS status_2xx, sum(status_3xx) AS status_3xx,
    sum(status_4xx) AS status_4xx, sum(status_5xx) AS status_5xx, quantilesDDMergeState(0.01, 0.5, 0.95, 0.99)(latency) AS latency,
    max(latency_max_us) AS latency_max_us
FROM attempt_minutes GROUP BY uid, namespace, use_case, purpose, hour
;

-- What analysts ask (docs/analysts.md). Attempts without those that have expired to the second.
CREATE VIEW IF NOT EXISTS attempts_live AS SELECT * FROM attempts WHERE expire_time > now()
;

-- Deliveries that have ended, one row each: DELIVERED if any attempt was, else what the highest (round, epoch, attempt) says.
CREATE VIEW IF NOT EXISTS deliveries AS
SELECT o.namespace AS namespace, o.use_case AS use_case, o.uid AS uid, o.cluster AS cluster, o.topic AS topic, o.partition AS partition,
    o.offset AS offset, argMax(o.outcome, o.decides) AS outcome, argMax(o.reason, o.decides) AS reason, argMax(o.status, o.decides) AS status,
    max(o.record_time) AS record_time, argMax(o.end_time, o.decides) AS end_time, max(o.round) AS rounds,
    argMax(o.retry_batch, o.decides) AS retry_batch, argMax(o.text, o.decides) AS text, argMax(o.failure_group, o.decides) AS failure_group
FROM
(
    SELECT *, failure_group, bitOr(if(outcome = 'DELIVERED', bitShiftLeft(toUInt128(1), 120), toUInt128(0)),
        bitOr(bitOr(bitShiftLeft(toUInt128(round), 85), bitShiftLeft(toUInt128(epoch), 32)), toUInt128(attempt))) AS decides
    FROM outcomes WHERE replay = ''
) AS o
GROUP BY o.namespace, o.use_case, o.uid, o.cluster, o.topic, o.partition, o.offset
;

CREATE VIEW IF NOT EXISTS attempts_per_minute AS
SELECT m.namespace AS namespace, m.use_case AS use_case, m.uid AS uid, m.purpose AS purpose, m.minute AS minute, sum(m.attempts) AS attempts,
    sum(m.requests) AS requests, sum(m.delivered) AS delivered, sum(m.failed) AS failed, sum(m.skipped) AS skipped,
    sum(m.superseded) AS superseded, sum(m.retried) AS retried, sum(m.unanswered) AS unanswered, sum(m.status_1xx) AS status_1xx,
    sum(m.status_2xx) AS status_2xx, sum(m.status_3xx) AS status_3xx, sum(m.status_4xx) AS status_4xx, sum(m.status_5xx) AS status_5xx,
    quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(m.latency) AS latency_us, latency_us[1] / 1000 AS p50_ms, latency_us[2] / 1000 AS p95_ms,
    latency_us[3] / 1000 AS p99_ms, max(m.latency_max_us) / 1000 AS max_ms
FROM attempt_minutes AS m GROUP BY m.namespace, m.use_case, m.uid, m.purpose, m.minute
;

CREATE VIEW IF NOT EXISTS attempts_per_hour AS
SELECT m.namespace AS namespace, m.use_case AS use_case, m.uid AS uid, m.purpose AS purpose, m.hour AS hour, sum(m.attempts) AS attempts,
    sum(m.requests) AS requests, sum(m.delivered) AS delivered, sum(m.failed) AS failed, sum(m.skipped) AS skipped,
    sum(m.superseded) AS superseded, sum(m.retried) AS retried, sum(m.unanswered) AS unanswered, sum(m.status_1xx) AS status_1xx,
    sum(m.status_2xx) AS status_2xx, sum(m.status_3xx) AS status_3xx, sum(m.status_4xx) AS status_4xx, sum(m.status_5xx) AS status_5xx,
    quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(m.latency) AS latency_us, latency_us[1] / 1000 AS p50_ms, latency_us[2] / 1000 AS p95_ms,
    latency_us[3] / 1000 AS p99_ms, max(m.latency_max_us) / 1000 AS max_ms
FROM attempt_hours AS m GROUP BY m.namespace, m.use_case, m.uid, m.purpose, m.hour
;

-- What failed, by day and by cause, also what was delivered since.
CREATE VIEW IF NOT EXISTS failure_groups AS
SELECT f.namespace AS namespace, f.use_case AS use_case, f.uid AS uid, toDate(f.end_time) AS day, f.failure_group AS failure_group,
    f.status AS status, f.reason AS reason, any(f.error_pattern) AS error_pattern, uniqExact(f.cluster, f.topic, f.partition, f.offset) AS deliveries,
    min(f.end_time) AS first_time, max(f.end_time) AS last_time,
    argMax((f.topic, f.partition, f.offset), f.end_time) AS example, argMax(f.text, f.end_time) AS example_text
FROM outcomes AS f WHERE f.outcome = 'FAILED' AND f.replay = ''
GROUP BY f.namespace, f.use_case, f.uid, day, f.failure_group, f.status, f.reason
;

-- The audit: every accepted change of a use case, of a token, and every order of an operator. resource is what it was done to.
CREATE TABLE IF NOT EXISTS use_case_changes
(
    change_id UInt64, change_time DateTime64(3, 'UTC'), actor String, action LowCardinality(String),
    namespace LowCardinality(String), use_case LowCardinality(String), uid String, revision UInt64, reason String,
    resource String DEFAULT if(use_case = '', '', concat('namespaces/', namespace, '/useCases/', use_case)),
    before String CODEC(ZSTD(3)), after String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
ORDER BY change_id
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;

CREATE VIEW IF NOT EXISTS use_case_history AS
SELECT change_id, change_time, actor, action, namespace, use_case, resource, uid, revision, reason, before, after FROM use_case_changes FINAL
WHERE use_case != ''
;

-- Descriptor sets by content, so that definitions can be restored from the audit alone.
CREATE TABLE IF NOT EXISTS descriptor_sets
(
    sha256 String, descriptor_set String CODEC(ZSTD(3)), create_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY sha256
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;

-- What producers say that they have published, by offsets: part i of a window is partition partitions[i] from froms[i] to below tos[i].
CREATE TABLE IF NOT EXISTS expected_windows
(
    uid LowCardinality(String), namespace LowCardinality(String), use_case LowCardinality(String), topic_id String, window_id String,
    partitions Array(UInt32), froms Array(UInt64), tos Array(UInt64), records UInt64, has_key_checksum Bool, key_checksum UInt64,
    reporter String, report_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(report_time)
ORDER BY (uid, window_id)
TTL toDateTime(report_time) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
