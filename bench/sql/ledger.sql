-- The bare minimum of a plain transfer: the rows that any ledger with these guarantees has to write, made by
-- the server itself. Entry, two postings, two balances; nothing is decided, read or sent.
CREATE SEQUENCE IF NOT EXISTS bench_transfer INCREMENT BY 1000;
CREATE OR REPLACE FUNCTION bench_transfers(organization uuid, asset uuid, accounts bigint, first bigint, batch int)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE base bigint := nextval('bench_transfer');
BEGIN
    INSERT INTO journal_entries (organization_id, id, asset_id, action_type, created_at)
    SELECT organization, ('f0000000-0000-7000-8000-' || lpad(to_hex((base + n) * 256), 12, '0'))::uuid, asset,
        'TRANSFER', clock_timestamp() FROM generate_series(1, batch) n;
    INSERT INTO postings (organization_id, entry_id, line, account_id, bucket, amount)
    SELECT organization, ('f0000000-0000-7000-8000-' || lpad(to_hex((base + n) * 256), 12, '0'))::uuid, l,
        first + (base + n * 2 + l) % accounts, 'AVAILABLE', CASE l WHEN 1 THEN -1 ELSE 1 END
    FROM generate_series(1, batch) n CROSS JOIN generate_series(1, 2) l;
    UPDATE accounts a SET available = a.available + c.amount, updated_at = clock_timestamp()
    FROM (SELECT first + (base + n * 2 + l) % accounts AS id, sum(CASE l WHEN 1 THEN -1 ELSE 1 END) AS amount
        FROM generate_series(1, batch) n CROSS JOIN generate_series(1, 2) l GROUP BY 1) c
    WHERE a.organization_id = organization AND a.id = c.id;
END $$;
