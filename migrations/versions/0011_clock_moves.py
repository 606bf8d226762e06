"""When the clock was moved last: what was written just before looks old at once, and is not late for that.

One row that only test clocks change. The trigger notes it whoever moves the clock.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SQL = """
SET LOCAL lock_timeout = '3s';
ALTER TABLE clock ADD COLUMN moved_at timestamptz;
CREATE FUNCTION note_clock_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.moved_at := CASE WHEN NEW.ahead > OLD.ahead THEN read_clock() - OLD.ahead + NEW.ahead END;
    RETURN NEW;
END $$;
CREATE TRIGGER clock_moves BEFORE UPDATE ON clock FOR EACH ROW
    WHEN (NEW.ahead <> OLD.ahead) EXECUTE FUNCTION note_clock_move();
"""


def upgrade() -> None:
    """Add the column and the trigger."""
    op.execute(SQL)
