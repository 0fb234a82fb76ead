"""The scripts of sql/, against PostgreSQL alone."""
import subprocess

import pytest

from cluster import ROOT, run
from rows import evaluation, owner

STRATEGY = {
    "idx_business_evaluations_user_tier", "idx_business_evaluations_professional_gin", "idx_professional_financial_metrics",
    "idx_professional_customer_analytics", "idx_business_evaluations_tier_created", "idx_business_evaluations_status_tier",
    "idx_professional_data_audit_user_timestamp", "idx_professional_data_audit_change_type",
    "idx_professional_data_audit_session"}
REVENUE = """SELECT be.id, be.user_id, professional_data->'financialMetrics'->>'annualRevenue' AS annual_revenue
    FROM business_evaluations be
    WHERE subscription_tier = 'professional'
      AND professional_data->'financialMetrics'->>'annualRevenue' IS NOT NULL
      AND (professional_data->'financialMetrics'->>'annualRevenue')::numeric > 4900000
    ORDER BY (professional_data->'financialMetrics'->>'annualRevenue')::numeric DESC"""


@pytest.fixture(scope="module")
def scratch(cluster):
    """A database of its own on the primary."""
    cluster.primary.sql("DROP DATABASE IF EXISTS scratch", database="postgres")
    cluster.primary.sql("CREATE DATABASE scratch OWNER app", database="postgres")
    url = cluster.primary.url("app", "scratch")

    def sql(text):
        return cluster.primary.sql(text, "app", "scratch")

    sql.url = url
    run([str(ROOT / "sql/apply.sh"), url])
    yield sql
    cluster.primary.sql("DROP DATABASE scratch WITH (FORCE)", database="postgres")


def indexes(sql):
    return set(sql("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'").split("\n"))


def test_all_nine_indexes_are_there(scratch):
    assert STRATEGY <= indexes(scratch)


def test_twice_is_as_once(scratch):
    before = scratch("SELECT count(*), sum(oid::bigint) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    run([str(ROOT / "sql/apply.sh"), scratch.url])
    assert scratch("SELECT count(*), sum(oid::bigint) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == before


def test_an_invalid_index_is_built_anew(scratch, cluster):
    cluster.primary.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = "
                        "'idx_business_evaluations_status_tier'::regclass", database="scratch")
    run([str(ROOT / "sql/apply.sh"), scratch.url])
    assert scratch("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'business_evaluations'::regclass") == "t"


def test_no_triggers(scratch):
    assert scratch("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == "0"


def test_loader(scratch):
    for n in 100, 3000, 3000:
        subprocess.run([str(ROOT / "sql/load.sh"), scratch.url, str(n)], check=True, capture_output=True, timeout=120)
        assert scratch("SELECT count(*) FROM business_evaluations") == str(n)
    assert scratch("SELECT count(DISTINCT subscription_tier) FROM business_evaluations") == "3"
    assert scratch("SELECT count(*) FROM users") == "600"
    assert scratch(f"SELECT user_id FROM business_evaluations WHERE id = '{evaluation(77)}'") == owner(77)
    smallest, largest, some = map(int, scratch(
        "SELECT min(length(professional_data::text)), max(length(professional_data::text)), count(professional_data) "
        "FROM business_evaluations").split("|"))
    assert 2000 <= smallest and largest <= 21000 and some > 1000
    assert scratch("SELECT count(*) FROM business_evaluations WHERE professional_data IS NULL AND subscription_tier <> 'basic'") \
        == "0"
    assert int(scratch("SELECT count(*) FROM professional_data_audit")) == 2 * some


def test_the_loader_gives_the_same_rows_again(scratch, cluster):
    """Whatever the number of sessions: the shared cluster was loaded by another call."""
    text = "SELECT md5(string_agg(md5(e::text), '' ORDER BY id)) FROM business_evaluations e WHERE id BETWEEN " \
           f"'{evaluation(200)}' AND '{evaluation(900)}'"
    expected = "SELECT count(*) FROM business_evaluations WHERE id BETWEEN " \
               f"'{evaluation(200)}' AND '{evaluation(900)}' AND professional_data IS NOT NULL"
    assert scratch(expected) == cluster.primary.sql(expected)
    first = scratch(text)
    scratch(f"DELETE FROM business_evaluations WHERE id BETWEEN '{evaluation(200)}' AND '{evaluation(900)}'")
    run(["env", "JOBS=1", str(ROOT / "sql/load.sh"), scratch.url, "3000"])
    assert scratch(text) == first


def test_revenue_is_found_by_its_index(scratch):
    plan = scratch(f"SET enable_seqscan = off; EXPLAIN {REVENUE}")
    assert "idx_professional_annual_revenue" in plan
    assert "idx_professional_financial_metrics" not in plan


def test_users_evaluations_are_found_by_their_index(scratch):
    plan = scratch(f"EXPLAIN SELECT id FROM business_evaluations WHERE user_id = '{owner(5)}' "
                   "AND subscription_tier IN ('professional', 'enterprise')")
    assert "idx_business_evaluations_user_tier" in plan


def test_documents_are_searched_by_gin(scratch):
    plan = scratch("SET enable_seqscan = off; EXPLAIN SELECT id FROM business_evaluations "
                   "WHERE professional_data IS NOT NULL AND professional_data @> '{\"market\": {\"segment\": \"energy\"}}'")
    assert "idx_business_evaluations_professional_gin" in plan


def test_monitoring_shows_every_index_once(scratch):
    shown = scratch("SELECT index_name FROM monitor_professional_tier_indexes()").split("\n")
    assert len(shown) == len(set(shown)) and set(shown) == indexes(scratch)


def test_wrong_arguments(scratch):
    for words in [], [scratch.url, "none"], [scratch.url, "0"], [scratch.url, "1", "2"]:
        assert subprocess.run([str(ROOT / "sql/load.sh"), *words], capture_output=True, check=False).returncode == 2
