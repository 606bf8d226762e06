-- The write set of docs/explanation/benchmarks.md as two functions: what PostgreSQL can do by itself, with
-- nobody to talk to. Rows are made on the server, documents are copies of ones that the product wrote.
CREATE TABLE bench_documents AS
SELECT %(organization_id)s::uuid AS organization_id, %(program_id)s::uuid AS program_id,
    %(asset_id)s::uuid AS asset_id, %(rule_id)s::uuid AS rule_id, %(version)s::integer AS version,
    (SELECT issuance_account FROM assets WHERE id = %(asset_id)s) AS issuance_account,
    %(event_data)s::jsonb AS event_data, %(evaluations)s::jsonb AS evaluations, %(inputs)s::jsonb AS inputs,
    %(changes)s::jsonb AS changes, %(message)s::jsonb AS message;

CREATE TABLE bench_people AS
SELECT row_number() OVER () AS n, a.owner_id AS id, p.external_id
FROM accounts a
JOIN participants p ON p.organization_id = a.organization_id AND p.id = a.owner_id
WHERE a.asset_id = %(asset_id)s AND a.id > 0;
ALTER TABLE bench_people ADD PRIMARY KEY (n);
CREATE SEQUENCE bench_ids;

-- Accept: one row in events with its four indexes, one in inbox.
CREATE FUNCTION bench_accept(amount integer) RETURNS void LANGUAGE sql AS $$
WITH picked AS MATERIALIZED (
    SELECT 1 + floor(random() * (SELECT max(n) FROM bench_people))::bigint AS n FROM generate_series(1, amount)
), e AS (
    INSERT INTO events (organization_id, seq, id, program_id, event_type, participant_id, external_id,
        idempotency_key, event_timestamp, created_at, event_data, partition)
    SELECT d.organization_id, nextval('event_seq'), gen_random_uuid(), d.program_id, 'EXTERNAL', p.id,
        p.external_id, 'purchase-' || gen_random_uuid(), read_clock.now, read_clock.now, d.event_data,
        get_byte(uuid_send(p.id), 14) %% 64
    FROM picked JOIN bench_people p USING (n), bench_documents d, (SELECT read_clock() AS now) AS read_clock
    RETURNING organization_id, seq, partition, participant_id
)
INSERT INTO inbox (partition, position, organization_id, event_seq, owner_id)
SELECT partition, seq, organization_id, seq, participant_id FROM e
$$;

-- Mark a batch, in a transaction that does not wait for the disk.
CREATE FUNCTION bench_mark(which integer) RETURNS void LANGUAGE sql AS $$
UPDATE partition_leases SET worker = 'bench', from_position = 1, to_position = 2, alone = false, crashes = 0
WHERE partition = which
$$;

-- Lock the owners of the next events of a partition.
CREATE FUNCTION bench_lock(which integer, amount integer) RETURNS void LANGUAGE sql AS $$
SELECT o.id FROM owners o
WHERE o.organization_id = (SELECT organization_id FROM bench_documents) AND o.id = ANY (ARRAY(
    SELECT owner_id FROM inbox WHERE partition = which ORDER BY position LIMIT amount))
ORDER BY o.id FOR NO KEY UPDATE
$$;

-- Process: one row each in decisions, journal_entries, state_history, outbox and outbox_pending, two in
-- postings; one row of accounts and one of owners updated, one of inbox deleted; the mark taken away.
CREATE FUNCTION bench_process(which integer, amount integer) RETURNS bigint LANGUAGE sql AS $$
WITH b AS MATERIALIZED (
    SELECT d.*, i.position, i.owner_id, a.id AS account_id, row_number() OVER (ORDER BY i.position) AS r,
        ids.prefix, ids.now
    FROM (SELECT * FROM inbox WHERE partition = which ORDER BY position LIMIT amount) i
    CROSS JOIN bench_documents d
    CROSS JOIN (
        SELECT '01b0' || lpad(to_hex(nextval('bench_ids')), 8, '0') || '70008000' AS prefix,
            read_clock() AS now) ids
    JOIN accounts a ON a.organization_id = d.organization_id AND a.owner_id = i.owner_id
        AND a.asset_id = d.asset_id AND a.owner_type = 'PARTICIPANT'
), n AS MATERIALIZED (
    SELECT *, (prefix || lpad(to_hex(r * 65536), 12, '0'))::uuid AS entry_id,
        (prefix || lpad(to_hex(r * 65536 + 256), 12, '0'))::uuid AS message_id,
        (prefix || lpad(to_hex(r * 65536 + 512), 12, '0'))::uuid AS history_id
    FROM b
), d AS (
    INSERT INTO decisions (organization_id, event_seq, commit_order, decided_at, status, ruleset_version,
        evaluations, inputs)
    SELECT organization_id, position, position, now, 'COMPLETED', version, evaluations, inputs FROM n
), j AS (
    INSERT INTO journal_entries (organization_id, id, program_id, asset_id, action_type, event_seq, rule_id,
        created_at)
    SELECT organization_id, entry_id, program_id, asset_id, 'CREDIT', position, rule_id, now FROM n
), p AS (
    INSERT INTO postings (organization_id, entry_id, line, account_id, bucket, amount)
    SELECT organization_id, entry_id, 1, issuance_account, 'AVAILABLE', -3.75 FROM n
    UNION ALL SELECT organization_id, entry_id, 2, account_id, 'AVAILABLE', 3.75 FROM n
), a AS (
    INSERT INTO accounts (organization_id, id, owner_type, owner_id, asset_id, available, updated_at)
    SELECT organization_id, account_id, 'PARTICIPANT', owner_id, asset_id, 3.75 * count(*), min(now)
    FROM n GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2
    ON CONFLICT (organization_id, id) DO UPDATE SET available = accounts.available + excluded.available,
        updated_at = excluded.updated_at
), o AS (
    UPDATE owners w SET tags = '{buys-web}', counters = '{"purchases": "17"}', last_posted_at = g.now,
        last_activity_at = g.now, webhook_sequence = w.webhook_sequence + g.messages
    FROM (SELECT organization_id, owner_id, min(now) AS now, count(*) AS messages FROM n GROUP BY 1, 2) g
    WHERE w.organization_id = g.organization_id AND w.id = g.owner_id
), h AS (
    INSERT INTO state_history (organization_id, owner_id, id, changed_at, event_seq, program_id, changes)
    SELECT organization_id, owner_id, history_id, now, position, program_id, changes FROM n
), m AS (
    INSERT INTO outbox (organization_id, id, type, created_at, participant_id, data)
    SELECT organization_id, message_id, 'balance.credited', now, owner_id, message FROM n
), mp AS (
    INSERT INTO outbox_pending (organization_id, outbox_id) SELECT organization_id, message_id FROM n
), l AS (
    UPDATE partition_leases SET worker = NULL WHERE partition = which
), gone AS (
    DELETE FROM inbox i USING n WHERE i.partition = which AND i.position = n.position RETURNING 1
)
SELECT count(*) FROM gone
$$;
