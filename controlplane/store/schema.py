"""The schema in PostgreSQL, as steps from each version to the next. Text only: `postgres.py` runs it.

A step that was released is never edited: databases have taken it. A new need is a new step at the end.
"""

# Epochs of sidecars are unsigned 64 bit and PostgreSQL's integers are signed: text keeps them whole. Manifests stay
# text too: jsonb would sort their keys. One row of `serinus_lease` says who leads; its epoch is the fencing token.
MIGRATIONS = (
    """
    CREATE TABLE serinus_objects (
      kind text NOT NULL, name text NOT NULL, data text NOT NULL, baseline text NOT NULL, applied_at_ms bigint NOT NULL,
      PRIMARY KEY (kind, name));
    CREATE TABLE serinus_journal (
      serial bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, rollout text NOT NULL, revision bigint NOT NULL,
      at_ms bigint NOT NULL, moved boolean NOT NULL, state text NOT NULL, action text NOT NULL, code text NOT NULL,
      text text NOT NULL, actor text NOT NULL, epoch bigint NOT NULL);
    CREATE INDEX serinus_journal_rollout ON serinus_journal (rollout, serial);
    CREATE TABLE serinus_batches (
      serial bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sidecar text NOT NULL, epoch text NOT NULL,
      seq bigint NOT NULL, at_ms bigint NOT NULL, payload bytea NOT NULL, UNIQUE (sidecar, epoch, seq));
    CREATE INDEX serinus_batches_at ON serinus_batches (at_ms);
    CREATE TABLE serinus_lease (
      one boolean PRIMARY KEY DEFAULT true CHECK (one), holder text NOT NULL, epoch bigint NOT NULL,
      expires_at timestamptz NOT NULL);
    INSERT INTO serinus_lease (holder, epoch, expires_at) VALUES ('', 0, '-infinity');
    """,
    # What each control plane sees of its proxies, for the one that leads. Worth nothing after a crash: not logged.
    "CREATE UNLOGGED TABLE serinus_planes (holder text PRIMARY KEY, at timestamptz NOT NULL, seen text NOT NULL);",
    """
    CREATE TABLE serinus_points (
      serial bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, service text NOT NULL, version text NOT NULL,
      at_ms bigint NOT NULL, span_ms bigint NOT NULL, data text NOT NULL);
    CREATE INDEX serinus_points_of ON serinus_points (service, at_ms);
    CREATE INDEX serinus_points_at ON serinus_points (span_ms, at_ms);
    """,
)
SCHEMA_VERSION = len(MIGRATIONS)
# Two that start at once take turns; the number is ours alone within the database.
MIGRATE_LOCK = 0x5345_5249_4E55_53
