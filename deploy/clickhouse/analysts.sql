-- A role for people and dashboards that ask the log: they see it, change nothing, and cannot take the server from those who write.
-- Run it once as an administrator: clickhouse-client --multiquery < deploy/clickhouse/analysts.sql
-- Another database than `ferry`: replace its name. Then, for each of them:
--   CREATE USER grafana IDENTIFIED BY '...' DEFAULT ROLE ferry_analyst;

CREATE SETTINGS PROFILE IF NOT EXISTS ferry_analyst SETTINGS
    readonly = 2,
    max_execution_time = 30 MAX 60,
    max_memory_usage = 2000000000 MAX 4000000000,
    max_bytes_before_external_group_by = 500000000,
    max_rows_to_read = 500000000 MAX 2000000000,
    max_result_rows = 100000 MAX 1000000,
    max_threads = 2 MAX 4,
    max_concurrent_queries_for_user = 8,
    priority = 10;

CREATE ROLE IF NOT EXISTS ferry_analyst SETTINGS PROFILE 'ferry_analyst';

CREATE QUOTA IF NOT EXISTS ferry_analyst KEYED BY user_name
    FOR INTERVAL 1 minute MAX queries = 600,
    FOR INTERVAL 1 hour MAX execution_time = 3600
    TO ferry_analyst;

-- The views of docs/analysts.md.
GRANT SELECT ON ferry.attempts_live TO ferry_analyst;
GRANT SELECT ON ferry.deliveries TO ferry_analyst;
GRANT SELECT ON ferry.attempts_per_minute TO ferry_analyst;
GRANT SELECT ON ferry.attempts_per_hour TO ferry_analyst;
GRANT SELECT ON ferry.failure_groups TO ferry_analyst;
GRANT SELECT ON ferry.use_case_history TO ferry_analyst;

-- The tables behind them, which a view is read with the rights of whoever asks. Not payloads: raw records.
GRANT SELECT ON ferry.attempts TO ferry_analyst;
GRANT SELECT ON ferry.outcomes TO ferry_analyst;
GRANT SELECT ON ferry.ranges TO ferry_analyst;
GRANT SELECT ON ferry.attempt_minutes TO ferry_analyst;
GRANT SELECT ON ferry.attempt_hours TO ferry_analyst;
GRANT SELECT ON ferry.use_case_changes TO ferry_analyst;
