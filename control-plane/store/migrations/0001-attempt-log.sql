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
    text String CODEC(ZSTD(1))
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

CREATE MATERIALIZED VIEW IF NOT EXISTS attempt_inserts_to_attempts TO attempts AS
SELECT uid, namespace, use_case, revision, cluster, topic, partition, replay, offset, round, epoch, attempt, purpose, trigger, retry_batch,
    request_id, item, outcome, reason, status, attempt_time, expire_time, latency_us, record_time, key, key_hash, method, url,
    request_headers, request_bytes, request_body, response_headers, response_bytes, response_body, error, worker
FROM attempt_inserts
;

CREATE MATERIALIZED VIEW IF NOT EXISTS attempt_inserts_to_outcomes TO outcomes AS
SELECT uid, cluster, topic, partition, replay, offset, round, epoch, attempt, outcome, reason, status, retry_batch, key_hash,
    attempt_time + toIntervalMillisecond(intDiv(latency_us, 1000)) AS end_time, record_time, expire_time,
    if(outcome = 'DELIVERED', '', leftUTF8(if(error != '', error, response_body), 200)) AS text
FROM attempt_inserts
WHERE outcome != 'RETRY' AND purpose = 'DELIVER'
;

CREATE MATERIALIZED VIEW IF NOT EXISTS attempt_inserts_to_payloads TO payloads AS
SELECT uid, cluster, topic, partition, offset, attempt_time + toIntervalMillisecond(intDiv(latency_us, 1000)) AS end_time, expire_time, packed_record
FROM attempt_inserts
WHERE packed_record != ''
;

-- What analysts ask: attempts without those that have expired to the second.
CREATE VIEW IF NOT EXISTS attempts_live AS SELECT * FROM attempts WHERE expire_time > now()
;

-- The audit: every accepted change of a use case.
CREATE TABLE IF NOT EXISTS use_case_changes
(
    change_id UInt64, change_time DateTime64(3, 'UTC'), actor String, action LowCardinality(String),
    namespace LowCardinality(String), use_case LowCardinality(String), uid String, revision UInt64, reason String,
    before String CODEC(ZSTD(3)), after String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
ORDER BY change_id
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
;

-- Descriptor sets by content, so that definitions can be restored from the audit alone.
CREATE TABLE IF NOT EXISTS descriptor_sets
(
    sha256 String, descriptor_set String CODEC(ZSTD(3)), create_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY sha256
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
