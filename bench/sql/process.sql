\set turn :turn + 1
\set which (:turn * :clients + :client_id) % 64
BEGIN; SET LOCAL synchronous_commit = off; SELECT bench_mark(:which); COMMIT;
BEGIN;
SELECT bench_lock(:which, :batch);
SELECT bench_process(:which, :batch);
COMMIT;
