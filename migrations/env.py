"""How Alembic reaches the database: as the owner of the tables, one transaction a migration.

Migrations are SQL text. There is no table metadata in Python to compare with: the schema of record is
what the migrations make, and docs/explanation/schema.md tells of it.
"""

import psycopg
from alembic import context
from sqlalchemy import create_engine, pool

from app.settings import settings


def run() -> None:
    """Apply the migrations over one connection that gives up on locks instead of queueing behind traffic."""
    url = settings().migration_database_url
    # psycopg reads the address itself: it may name several hosts, of which one is written to.
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=pool.NullPool
    )
    with engine.connect() as connection:
        connection.exec_driver_sql("SET lock_timeout = '5s'")
        connection.commit()
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


run()
