from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core import cli, config, events, measuring
from core.errors import WaggleError
from core.home import REPO_ROOT, Home, HomeLock
from core.net.identity import load_or_create
from tests.measured import MACHINE
from tests.test_fold import finished, started, submission
from tests.test_journal import written

ROOMS = ["torch", "transformers", "reasoning_gym", "hivemind", "web3", "eth_account", "textual"]
HEAVY = [*ROOMS, "trl", "datasets", "eth", "eth_tester", "plotext", "rich", "numpy", "psutil"]
HEAVY += ["yaml", "sqlite3", "asyncio", "cryptography", "msgpack", "requests"]
COMMANDS = [
    [],
    ["run"],
    ["status"],
    ["rewards"],
    ["peers"],
    ["logs"],
    ["models"],
    ["eval"],
    ["export"],
    ["identity"],
    ["identity", "show"],
    ["config", "show"],
    ["doctor"],
]


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """How fast the machine is, is known already: measuring takes seconds of every core."""
    monkeypatch.setattr(measuring, "SESSION", measuring.Measurement(MACHINE))


def waggle(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=REPO_ROOT,
        timeout=60,
        stdin=subprocess.DEVNULL,
        **options,  # type: ignore[call-overload]
    )


def lived(home: Home) -> Home:
    """A home whose node trained two rounds a moment ago."""
    now = time.time()
    history: list[events.Event] = [
        started(time=now - 60),
        events.PeerSeen(round=2, peer_id="Qm2", name="sly \x1b[31mfox", groups=3, used=1),
        submission(1, "confirmed", value="7", tx_hash="0xab"),
        submission(2, "pending", value="5", time=now),
        events.CountersRead(participation=1, wins=0, total_reward=7),
        finished(1, time=now - 9),
        finished(2, time=now - 1),
    ]
    written(home.db, history)
    return home


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c) or "waggle")
def test_help_tells_the_exit_codes_and_imports_nothing_heavy(command: list[str]) -> None:
    script = (
        "import sys, io\nfrom core import cli\n"
        f"try: cli.main({[*command, '--help']!r})\n"
        "except SystemExit as done: assert not done.code\n"
        f"sys.stderr.write(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=REPO_ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "usage: waggle" in done.stdout
    if command != ["identity"]:
        assert "exit codes:" in done.stdout


def test_help_is_quick() -> None:
    def seconds() -> float:
        begun = time.perf_counter()
        assert waggle("run", "--help").returncode == 0
        return time.perf_counter() - begun

    assert min(seconds() for _ in range(5)) < 0.3


def test_status_needs_none_of_the_rooms(home: Home) -> None:
    script = (
        f"import sys\nfrom core import cli\ncli.main(['status', '--home', {str(home.path)!r}])\n"
        f"sys.stderr.write(' '.join(m for m in {ROOMS!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=REPO_ROOT)
    assert done.stderr == b""


def test_version() -> None:
    done = waggle("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "waggle")


def test_status_codes_follow_the_verdict(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--home", str(home.path)]
    assert cli.main(["status", *where]) == 4
    assert "No node has run here yet" in capsys.readouterr().out
    lived(home)
    assert cli.main(["status", *where]) == 4
    assert "without a word" in capsys.readouterr().out
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert HomeLock(home).held_by_other()
        assert cli.main(["status", *where]) == 0
        assert "healthy: Round 2 finished" in capsys.readouterr().out
        assert cli.main(["status", "--json", *where]) == 0
        data = json.loads(capsys.readouterr().out)
        holder.kill()
    assert data["verdict"]["level"] == "healthy"
    assert data["running"] is True
    assert (data["rounds_trained"], data["confirmed"], data["queue"]) == (2, {"reward": 1}, 1)


HOLD = """
import sys
from pathlib import Path
from core.home import Home, HomeLock
lock = HomeLock(Home(Path(sys.argv[1])))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_peers(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--home", str(lived(home).path)]
    assert cli.main(["peers", *where]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "sly \\x1b[31mfox" in told
    assert cli.main(["peers", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["peers"][0]["used"] == 1


def test_identity_show(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--home", str(home.path)]
    assert cli.main(["identity", "show", *where]) == 1
    assert "There is no identity" in capsys.readouterr().err
    made = load_or_create(home.identity)
    assert cli.main(["identity", "show", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["peer_id"] == made.peer_id


def test_config_show_names_every_value_and_origin(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--home", str(home.path)]
    command = ["--set", "game.groups=3", "config", "show", "--set", "training.beta=0.5", *where]
    assert cli.main(command) == 0
    told = capsys.readouterr().out
    assert all(f"  {key.split('.')[1]}: " in told for key in config.settings())
    assert cli.main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["settings"]
    assert rows["game.groups"]["value"] == 3
    assert rows["game.groups"]["where"] == "--set game.groups"
    assert rows["training.beta"]["value"] == 0.5


def test_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models"]) == 0
    assert "waggle-tiny" in capsys.readouterr().out
    assert cli.main(["models", "--json"]) == 0
    tiny = json.loads(capsys.readouterr().out)["models"][0]
    assert tiny["verdict"] in ("fits", "tight")
    assert 0.1 < tiny["round_s"] < 5


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run", "--headless", "--set", "game.group=1"], "Did you mean game.groups?"),
        (["run", "--headless", "--profile", "join"], "chain.rpc_url"),
        (["run", "--json"], "--headless"),
        (["run", "--headless", "--supervise", "--rounds", "3"], "--rounds"),
        (["config", "show", "--profile", "solx"], "Did you mean 'solo'"),
    ],
)
def test_wrong_configuration_is_one_sentence_and_2(
    home: Home, capsys: pytest.CaptureFixture[str], arguments: list[str], part: str
) -> None:
    assert cli.main([*arguments, "--home", str(home.path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert part in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["nope"], ["run", "--rounds", "0"], ["run", "--seed", "x"]])
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2


def test_no_terminal_is_told(tmp_path: Path) -> None:
    done = waggle("--home", str(tmp_path))
    assert done.returncode == 1
    assert "run --headless" in done.stderr


def test_a_damaged_journal_is_one_sentence(home: Home) -> None:
    home.db.write_bytes(b"not a database at all" * 50)
    done = waggle("status", "--home", str(home.path))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Move the file away" in done.stderr


def test_a_bug_is_told_and_logged_and_shown_with_debug(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(args: object, home: Home) -> int:
        raise ValueError("passphrase=hunter2")

    monkeypatch.setitem(cli.COMMANDS, "models", broken)
    assert cli.main(["models", "--home", str(home.path)]) == 1
    told = capsys.readouterr().err
    assert "unexpected" in told
    assert str(home.log) in told
    assert "Traceback" in home.log.read_text()
    assert "hunter2" not in told + home.log.read_text()
    with pytest.raises(ValueError, match="hunter2"):
        cli.main(["models", "--debug", "--home", str(home.path)])


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (WaggleError("x"), 1)])
def test_codes_of_the_edge(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    def ends(args: object, home: Home) -> int:
        raise error

    monkeypatch.setitem(cli.COMMANDS, "models", ends)
    assert cli.main(["models", "--home", str(home.path)]) == code


def test_a_closed_pipe_is_quiet(home: Home) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "core.cli", "config", "show", "--home", str(home.path)],
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=REPO_ROOT,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("text", "gib"),
    [("6", 6), ("6.5", 6.5), ("6G", 6), ("6GiB", 6), ("512m", 0.5), ("1GB", 1e9 / 2**30)],
)
def test_memory_limits_are_settings(
    text: str, gib: float, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["--max-ram", text, "config", "show"], ["config", "show", "--max-ram", text]):
        assert cli.main([*arguments, "--json"]) == 0
        row = json.loads(capsys.readouterr().out)["settings"]["model.max_ram_gib"]
        assert row["value"] == pytest.approx(gib, rel=1e-5)
        assert row["origin"] == "flag"


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "1e9", "6 TB", "nan"])
def test_what_is_no_size_is_wrong_usage(text: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["models", f"--max-ram={text}"])
    assert ended.value.code == 2


def test_models_on_a_smaller_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--max-ram", "0.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {model["verdict"] for model in found["models"]} == {"too large"}
    assert found["free_bytes"] <= 0.1 * 2**30
    assert found["models"][0]["advice"]
    assert cli.main(["models", "--set", "model.id=pool"]) == 0
    assert "Qwen/Qwen3-0.6B" in capsys.readouterr().out
