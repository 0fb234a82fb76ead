"""The schema and the reference are made from the tables that read the file: what one knows, all know."""
import copy
import json
import re
import subprocess

import jsonschema
import pytest
import yaml

from cluster import ROOT
from proxy import SHIPPED, binary, check_file, merge


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("DATABASE_PRIMARY_URL", "postgresql://app@127.0.0.1:5432/app")


def said(*words):
    return subprocess.run([binary(), *words], text=True, capture_output=True, timeout=20, check=True).stdout


@pytest.fixture(scope="module")
def schema():
    made = json.loads(said("schema"))
    jsonschema.Draft7Validator.check_schema(made)
    return made


def shipped():
    return yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))


def accepts(schema, settings):
    return jsonschema.Draft7Validator(schema).is_valid(settings)


def test_what_ships_is_accepted(schema):
    jsonschema.validate(shipped(), schema, cls=jsonschema.Draft7Validator)


def test_the_recipes_are_accepted(schema):
    page = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.S)]
    assert len(blocks) > 3
    for block in blocks:
        jsonschema.validate(merge(shipped(), block), schema, cls=jsonschema.Draft7Validator)


WRONG = [
    {"listen": {"prot": 6432}}, {"listen": {"port": 0}}, {"listen": {"port": "many"}}, {"lisen": {}}, {"pool": {"mode": "statement"}},
    {"pool": {"wait_timeout": 60}}, {"pool": {"wait_timeout": "60 sec"}}, {"cache": {"memory": "much"}}, {"relations": {"t": {"dimension": ["id"]}}},
    {"tiers": {"user": {"key": None}}}, {"operations": {"x": {"target": "1s"}}},
    {"operations": {"x": {"match": {"statement": "selct"}}}}, {"operations": {"x": {"match": {"where": {"id": "unknown"}}}}},
    {"operations": {"x": {"match": {"aggregate": "maybe"}}}}, {"operations": {"x": {"match": {}, "route": "home"}}},
    {"operations": {"x": {"match": {}, "freshness": "new"}}}, {"operations": {"x": {"match": {}, "limit": 0}}},
    {"operations": {"x": {"match": {}, "deny": {"sqlstat": "42501"}}}}, {"cache": {"classes": {"c": {"ttl": "1h"}}}},
    {"databases": {"app": {"replicas": [{"priority": 1}]}}}, {"auth": {"users": [{"password": "x"}]}}, {"targets": {"cache_hit_ratio": 85}},
]
RIGHT = [
    {"listen": {"port": "${PORT}"}}, {"pool": {"wait_timeout": "${WAIT:-60s}", "mode": "${MODE}"}}, {"pool": None},
    {"cache": {"memory": "1.5GB"}}, {"cache": {"memory": 67108864}}, {"relations": {"t": None}}, {"targets": {"cache_response_time": 0}},
    {"operations": {"x": {"match": {"statement": ["select", "copy to"], "tier": "basic"}, "deny": True, "log": "1%", "freshness": "5 min"}}},
    {"databases": {"app": {"primary": "postgresql://a@b/c", "replicas": ["postgresql://a@b/c", {"url": "${R}", "priority": 2}]}}},
]


@pytest.mark.parametrize("over", WRONG, ids=json.dumps)
def test_what_check_refuses_is_refused(schema, tmp_path, over):
    settings = merge(copy.deepcopy(shipped()), over)
    assert not accepts(schema, settings)
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    status, told = check_file(path, "check")
    assert status == 1, told


@pytest.mark.parametrize("over", RIGHT, ids=json.dumps)
def test_what_may_be_written_is_accepted(schema, over):
    settings = shipped()
    for key, value in over.items():
        settings[key] = merge(settings[key], value) if isinstance(value, dict) else value
    jsonschema.validate(settings, schema, cls=jsonschema.Draft7Validator)


def maps_of(schema, path=""):
    """Every map with fixed keys, by its path."""
    if isinstance(schema, list):
        for item in schema:
            yield from maps_of(item, path)
    elif isinstance(schema, dict):
        if schema.get("additionalProperties") is False and "properties" in schema:
            yield path, schema["properties"]
        for key, value in schema.items():
            yield from maps_of(value, f"{path}.{key}" if path or key == "properties" else path)


def test_every_setting_is_described_and_in_the_reference(schema):
    page = said("reference")
    count = 0
    for path, properties in maps_of(schema):
        for name, value in properties.items():
            count += 1
            assert value["description"], (path, name)
            assert f"`{name}`" in page or f"## {name}" in page, (path, name)
    assert count > 90


def test_the_page_in_the_documentation_is_this_one():
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == said("reference"), \
        "docs/settings.md is out of date: pgtier reference > docs/settings.md"


def test_every_key_of_what_ships_is_known(schema):
    """A key that the loader knows and the schema doesn't would be refused by the schema: the shipped file names most of them."""
    settings = shipped()
    for section in settings:
        assert section in schema["properties"]
