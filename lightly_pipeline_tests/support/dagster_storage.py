"""Connections to Dagster's PostgreSQL that break in the middle of a run."""

from lightly_pipeline_tests.support.postgres_server import PostgresServer

_TRIGGER = """
DROP TRIGGER IF EXISTS break_connection ON event_logs;
DROP SEQUENCE IF EXISTS breaks;
CREATE SEQUENCE breaks;
CREATE OR REPLACE FUNCTION break_connection() RETURNS trigger AS $$
BEGIN
  -- A sequence counts on, whatever becomes of the transaction.
  IF NEW.dagster_event_type = '{event}' AND nextval('breaks') = 1 THEN
    PERFORM pg_terminate_backend(pg_backend_pid());
    PERFORM pg_sleep(60);
  END IF;
  RETURN NEW;
END $$ LANGUAGE plpgsql;
CREATE TRIGGER break_connection BEFORE INSERT ON event_logs
  FOR EACH ROW EXECUTE FUNCTION break_connection();
"""


def break_connection_at(postgres: PostgresServer, database: str, event: str) -> None:
    """Breaks the connection over which the next event of a type is written; that event is lost.

    Args:
        postgres: Where Dagster keeps its state.
        database: In which database.
        event: The type, such as STEP_START.
    """
    postgres.execute(_TRIGGER.format(event=event), database)
