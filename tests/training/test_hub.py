"""Against a real server with the Hub's answers, in processes of their own: huggingface_hub reads
its address from the environment once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.home import REPO_ROOT
from tests.training.hub_server import hub

CHILD = """
import json, sys
from core.errors import TransientError, WaggleError
from core.training.hub import fetch
out = {}
for name in sys.argv[1:]:
    told = []
    try:
        folder = fetch(name, lambda done, total: told.append((done, total)))
        out[name] = {"files": sorted(p.name for p in folder.rglob("*")), "told": told}
    except WaggleError as error:
        out[name] = {"error": str(error), "transient": isinstance(error, TransientError)}
print(json.dumps(out))
"""


def fetched(cache: Path, endpoint: str, *names: str, **environment: str):
    """What `fetch` gave or said for each name; it may print nothing of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *names],
        capture_output=True,
        text=True,
        cwd=REPO_ROOT,
        timeout=120,
        env={
            **kept,
            "HF_HOME": str(cache),
            "HF_ENDPOINT": endpoint,
            "HF_HUB_DISABLE_XET": "1",
            **environment,
        },
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture
def repository(model_folders, tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    for path in model_folders["qwen3"].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "original").mkdir()
    (folder / "original" / "model.safetensors").write_bytes(b"x")
    (folder / "pytorch_model.bin").write_bytes(b"x")
    (folder / "README.md").write_text("x")
    return folder


def test_files_arrive_with_progress_and_stay_for_offline(repository, tmp_path):
    cache = tmp_path / "cache"
    with hub({"me/model": repository}) as endpoint:
        found, said = fetched(cache, endpoint, "me/model")
    files = found["me/model"]["files"]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(files)
    assert not {"original", "pytorch_model.bin", "README.md"} & set(files)
    wanted = sum((repository / name).stat().st_size for name in files)
    assert found["me/model"]["told"][-1] == [wanted, wanted]
    assert said == ""
    for offline in ({"HF_HUB_OFFLINE": "1"}, {}):  # and the server is gone by now
        again, _ = fetched(cache, endpoint, "me/model", "me/other", **offline)
        assert again["me/model"]["files"] == files
        refused = again["me/other"]["error"]
        assert "me/other cannot be fetched: it is not on this machine" in refused
        assert ("HF_HUB_OFFLINE forbids" in refused) == bool(offline)


def test_what_the_hub_refuses_is_told(repository, tmp_path):
    names = ["me/a-gated", "me/no-model", "me/a-busy", "me/a-token"]
    with hub({}) as endpoint:
        found, _ = fetched(tmp_path / "cache", endpoint, *names)
        with_token, _ = fetched(tmp_path / "cache", endpoint, names[0], HF_TOKEN="hf_secret123")
    gated, missing, busy, token = (found[name]["error"] for name in names)
    assert "me/a-gated is gated" in gated
    assert f"Accept it at {endpoint}/me/a-gated, set HF_TOKEN" in gated
    assert "with the account of your HF_TOKEN" in with_token[names[0]]["error"]
    assert "hf_secret" not in json.dumps(with_token)
    assert "There is no model me/no-model on the Hugging Face Hub" in missing
    assert "status 503" in busy
    assert found["me/a-busy"]["transient"]
    assert "refuses the access token (401)" in token


def test_a_download_that_breaks_off_is_told(repository, tmp_path):
    cache = tmp_path / "cache"
    with hub({"me/model-cut": repository}) as endpoint:
        found, _ = fetched(cache, endpoint, "me/model-cut")
        offline, _ = fetched(cache, endpoint, "me/model-cut", HF_HUB_OFFLINE="1")
    assert "me/model-cut cannot be fetched: its download broke off" in str(found)
    assert found["me/model-cut"]["transient"]
    assert "never finished" in offline["me/model-cut"]["error"]
