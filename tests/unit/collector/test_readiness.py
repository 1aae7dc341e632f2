"""What `/readyz` looks at."""

import pytest

from collector.auth.tokens import DEFAULT_TENANT
from collector.readiness import readiness_checks
from collector.store.protocol import UnreachableStoreError
from pyrometer.errors import PyrometerError


class Database:
    """Answers, or does not."""

    def __init__(self, *, answers):
        self.answers = answers

    def ping(self):
        if not self.answers:
            raise UnreachableStoreError("the database db:9000/pyrometer_acme does not answer")
        return "26.1"


@pytest.mark.parametrize(("default", "acme"), [(True, True), (True, False), (False, True)])
def test_every_tenants_database_must_answer(default, acme, caplog):
    """One that does not makes the collector not ready; the answer, which everybody may read, does not name it."""
    stores = {DEFAULT_TENANT: Database(answers=default), "acme": Database(answers=acme)}
    database = next(check for check in readiness_checks(stores, {}, []) if check.name == "database")
    if default and acme:
        assert database.run() == "ClickHouse 26.1"
        return
    with pytest.raises(PyrometerError) as caught:
        database.run()
    if not acme:
        assert "acme" not in str(caught.value)
        assert "acme" in caplog.text
