"""The tables of a deployment's state, the same in SQLite and in PostgreSQL.

The description only. Which database, and how it is reached, is `database.py`; what the rows mean is
`datasets.py`, `queue.py` and `workers.py`. Times are Unix times in milliseconds.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text

VERSION = 2
"""Of the tables; another release that changes them counts on."""
# SQLite numbers rows by itself where the type is exactly INTEGER.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

tables = MetaData()
"""What is kept everywhere."""
datasets = Table(
    "datasets",
    tables,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("modified_ms", BigInteger, nullable=False),
)
datasources = Table(
    "datasources",
    tables,
    Column("dataset_id", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("full_path", Text, nullable=False),
    Column("options", Text, nullable=False),
)
runs = Table(
    "runs",
    tables,
    Column("number", _NUMBER, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("dataset_id", Text, nullable=False),
    Column("blocks", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("runs_on", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("run_state", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("executor", Text),
    Column("claims", Integer, nullable=False, server_default="0"),
    Column("silences", Integer, nullable=False, server_default="0"),
    Column("beat_ms", BigInteger, nullable=False, server_default="0"),
    Column("started_ms", BigInteger, nullable=False, server_default="0"),
    Column("created_ms", BigInteger, nullable=False),
    Column("modified_ms", BigInteger, nullable=False),
    Index("runs_by_state", "state"),
)
run_changes = Table(
    "run_changes",
    tables,
    Column("number", _NUMBER, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("run_state", Text, nullable=False),
    Column("message", Text, nullable=False),
    Index("changes_by_run", "run_id", "number"),
)
processed_until = Table(
    "processed_until",
    tables,
    Column("dataset_id", Text, primary_key=True),
    Column("timestamp", BigInteger, nullable=False),
)
workers = Table(
    "workers",
    tables,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("labels", Text, nullable=False),
    Column("is_registered", Boolean, nullable=False),
    Column("executor", Text),
    Column("version", Text),
    Column("beat_ms", BigInteger, nullable=False, server_default="0"),
    Column("created_ms", BigInteger, nullable=False),
    Column("modified_ms", BigInteger, nullable=False),
)

server_tables = MetaData()
"""What is kept beside it on a server: in a folder these are SQLite's own number and files."""
state = Table(
    "state",
    server_tables,
    Column("version", Integer, nullable=False),
)
credentials = Table(
    "credentials",
    server_tables,
    Column("datasource_id", Text, primary_key=True),
    Column("sealed", Text, nullable=False),
)
