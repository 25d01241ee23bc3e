"""The models on Apache Spark: over a copy in files, every table and report as on PostgreSQL.

Spark runs in the test's own processes, and is installed apart from what other tests need.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from extract.load.copy import copy
from tests.second_engine.comparison import Found, assert_same_as_on_postgresql, build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.xdist_group("second_engine"),
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java"),
]


@pytest.fixture
def start_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: bool
) -> Iterator[Callable[[], Any]]:
    """Starts a session that sees what dbt's own has built, when that one has ended."""
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    pytest.importorskip("dbt.adapters.spark", reason="dbt-spark is not installed")
    java = ["-Dderby.system.durability=test"]
    if network:
        options = {"spark.driver.memory": "10g", "spark.driver.maxResultSize": "4g"}
    else:  # so few rows are read before code that would read them faster is compiled
        options = {
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        }
        java += ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    lines = (f"{name} {value}\n" for name, value in options.items())
    (tmp_path / "spark-defaults.conf").write_text("".join(lines))
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", " ".join(java))
    folder = tmp_path / "local" / "spark"
    settings = {
        "spark.master": "local[*]",
        "spark.driver.host": "localhost",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={folder}",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
    }
    sessions = []

    def start() -> Any:
        builder = sql.SparkSession.builder.enableHiveSupport()
        for name, value in settings.items():
            builder = builder.config(name, value)
        sessions.append(builder.getOrCreate())
        return sessions[0]

    yield start
    for session in sessions:
        session.stop()


@pytest.mark.usefixtures("database")
def test_every_table_and_report_is_the_same_on_spark(
    start_session: Callable[[], Any], tmp_path: Path
) -> None:
    copy("filesystem")
    with psycopg2.connect("") as connection, connection.cursor() as cursor:
        # versions that no longer count, and rows that are gone, are in the files too
        cursor.execute("create table before as select * from raw.projects_users")
        cursor.execute("update raw.projects_users set final_mark = -1 where id % 7 = 0")
        cursor.execute("delete from raw.projects_users where id % 11 = 0")
    copy("filesystem")
    with psycopg2.connect("") as connection, connection.cursor() as cursor:
        cursor.execute("delete from raw.projects_users where final_mark = -1")
        cursor.execute(
            "insert into raw.projects_users select * from before "
            "where id not in (select id from raw.projects_users)"
        )
        cursor.execute("drop table before")
    copy("filesystem")
    build("spark", tmp_path / "dbt")
    session = start_session()

    def query(text: str) -> Found:
        found = session.sql(text)
        return found.columns, found.toLocalIterator()

    assert_same_as_on_postgresql(query, "from_utc_timestamp(cast(instant as timestamp), time_zone)")
