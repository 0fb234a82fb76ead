"""Two-phase commit: what a transaction has written is noted when it is prepared, and ends kept answers once somebody commits it."""
import pytest

from kept import ask, is_kept, keep, one
from rows import evaluation, user
from wire import SYNC, Raw, bind, error, execute, parse

LIST = "SELECT avg(health_score) FROM business_evaluations WHERE user_id = '{}'"
READ = "SELECT data_version FROM business_evaluations WHERE id = '{}' AND subscription_tier IN ('professional', 'enterprise')"
STEP = "UPDATE business_evaluations SET data_version = data_version + 1 WHERE id = '{}' AND user_id = '{}' RETURNING user_id"
MINE, OTHERS = LIST.format(user(1)), LIST.format(user(3))


@pytest.fixture(scope="module")
def proxy(start, cluster):
    cluster.primary.sql(f"UPDATE business_evaluations SET subscription_tier = 'professional' WHERE id = '{evaluation(1)}'", "app")
    return start({"auth": {"type": "trust"}})


@pytest.fixture
def c(proxy):
    with Raw(proxy.port, "app_trust") as client:
        yield client


@pytest.fixture(autouse=True)
def none_left(cluster):
    yield
    for gid in cluster.primary.sql("SELECT gid FROM pg_prepared_xacts", "app").split():
        cluster.primary.sql(f"ROLLBACK PREPARED '{gid}'")


def step(n=1, u=1):
    return STEP.format(evaluation(n), user(u))


def prepare(c, gid, *texts):
    for sql in "BEGIN", *(texts or [step()]), f"PREPARE TRANSACTION {gid}":
        ask(c, sql)


def survives(proxy, c, end, *, mine=False):
    """Whether the answer about others is still kept behind `end`, and that about the first user is if `mine`."""
    keep(proxy, c, OTHERS)
    keep(proxy, c, MINE)
    end()
    assert is_kept(proxy, c, MINE) == mine
    return is_kept(proxy, c, OTHERS)


def test_a_prepared_transaction_ends_nothing_until_it_is_committed(proxy, c):
    before = int(keep(proxy, c, READ.format(evaluation(1)))[0][0])
    assert survives(proxy, c, lambda: prepare(c, "'a'"), mine=True)
    assert is_kept(proxy, c, READ.format(evaluation(1)))
    assert survives(proxy, c, lambda: ask(c, "COMMIT PREPARED 'a'"))
    assert int(one(c, READ.format(evaluation(1)))) == before + 1


def test_one_that_is_rolled_back_ends_nothing_at_all(proxy, c):
    prepare(c, "'b'")
    assert survives(proxy, c, lambda: ask(c, "ROLLBACK PREPARED 'b'"), mine=True)


@pytest.mark.parametrize("prepared, committed", [("'it''s'", "$$it's$$"), (r"E'a\'b'", "'a''b'"), ("$x$y$x$", "'y'"), ("'" + "n" * 199 + "'",) * 2])
def test_names_are_what_they_mean(proxy, c, prepared, committed):
    prepare(c, prepared)
    assert survives(proxy, c, lambda: ask(c, "COMMIT PREPARED " + committed))


def test_whoever_commits_it(proxy, c):
    prepare(c, "'d'")
    with Raw(proxy.port, "app_trust") as other:
        assert survives(proxy, other, lambda: ask(other, "COMMIT PREPARED 'd'"))


def test_extended(proxy, c):
    def run(sql):
        found = c.ask(parse(sql), bind(), execute(), SYNC)
        assert not error(found), error(found)

    for sql in "BEGIN", step(), "PREPARE TRANSACTION 'e'":
        run(sql)
    assert survives(proxy, c, lambda: run("COMMIT PREPARED 'e'"))


def test_several_at_once(proxy, c):
    prepare(c, "'f1'")
    prepare(c, "'f2'", step(11, 3))
    assert survives(proxy, c, lambda: ask(c, "COMMIT PREPARED 'f1'"))
    assert not survives(proxy, c, lambda: ask(c, "COMMIT PREPARED 'f2'"), mine=True)


def test_nothing_written(proxy, c):
    prepare(c, "'g'", "SELECT 1 FROM business_evaluations FOR UPDATE")
    assert survives(proxy, c, lambda: ask(c, "COMMIT PREPARED 'g'"), mine=True)


@pytest.mark.parametrize("text", ["CREATE TABLE two_phase_made (n int)", "DO $$ BEGIN END $$"])
def test_what_nobody_can_bound_is_everything(proxy, c, text):
    prepare(c, "'h'", text)
    assert not survives(proxy, c, lambda: ask(c, "COMMIT PREPARED 'h'"))
    ask(c, "DROP TABLE IF EXISTS two_phase_made")


def test_one_that_was_prepared_past_it_is_everything(proxy, c, cluster):
    cluster.primary.sql(f"BEGIN; {step()}; PREPARE TRANSACTION 'i'", "app_trust")
    assert not survives(proxy, c, lambda: ask(c, "COMMIT PREPARED 'i'"))


def test_a_name_that_was_used_before(proxy, c, cluster):
    prepare(c, "'j'")
    ask(c, "COMMIT PREPARED 'j'")
    cluster.primary.sql(f"BEGIN; {step(11, 3)}; PREPARE TRANSACTION 'j'", "app_trust")
    assert not survives(proxy, c, lambda: ask(c, "COMMIT PREPARED 'j'"))


def test_a_batch_is_everything(proxy, c):
    ask(c, f"BEGIN; {step()}; PREPARE TRANSACTION 'k'")
    assert not survives(proxy, c, lambda: ask(c, "COMMIT PREPARED 'k'"))


def test_a_commit_that_fails_has_committed_nothing(proxy, c):
    prepare(c, "'l'")
    with Raw(proxy.port, "app_trust") as other:
        ask(other, "SET ROLE app")
        keep(proxy, c, OTHERS)
        keep(proxy, c, MINE)
        assert error(other.query("COMMIT PREPARED 'l'"))
        assert is_kept(proxy, c, MINE) and is_kept(proxy, c, OTHERS)
    assert survives(proxy, c, lambda: ask(c, "COMMIT PREPARED 'l'"))


def test_one_that_cannot_be_prepared_leaves_the_other_of_its_name(proxy, c):
    def fail():
        ask(c, "BEGIN")
        ask(c, step(11, 3))
        assert error(c.query("PREPARE TRANSACTION 'm'"))

    prepare(c, "'m'")
    assert survives(proxy, c, fail, mine=True)
    assert survives(proxy, c, lambda: ask(c, "COMMIT PREPARED 'm'"))
