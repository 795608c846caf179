from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core import arguments, supervisor
from core.home import REPO_ROOT, Home
from tests.conftest import wait_until

NODE = """
import os, sys
from pathlib import Path
from core.supervisor import restarts
seen = Path(sys.argv[1])
with seen.open("a") as out:
    out.write(f"{restarts()}\\n")
codes = sys.argv[2].split(",")
code = codes[min(restarts(), len(codes) - 1)]
if code == "kill":
    os.kill(os.getpid(), 9)
if code == "wait":
    import signal
    signal.pause()
sys.exit(int(code))
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "MIN_BACKOFF_S", 0.01)
    monkeypatch.setenv("PYTHONPATH", str(REPO_ROOT))


def command(seen: Path, codes: str) -> list[str]:
    return [sys.executable, "-c", NODE, str(seen), codes]


def test_a_crash_is_restarted_with_a_count_and_a_reason(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = tmp_path / "seen"
    assert supervisor.supervise(command(seen, "1,kill,0"), max_backoff_s=0.05) == 0
    assert seen.read_text().split() == ["0", "1", "2"]
    told = capfd.readouterr().err
    assert "exit code 1" in told
    assert "killed by SIGKILL" in told
    assert "restart 2" in told


@pytest.mark.parametrize("code", supervisor.FINAL)
def test_final_codes_are_not_restarted(tmp_path: Path, code: int) -> None:
    seen = tmp_path / "seen"
    assert supervisor.supervise(command(seen, str(code))) == code
    assert seen.read_text().split() == ["0"]


def test_sigterm_ends_the_node_and_the_supervisor(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = "import sys\nfrom core.supervisor import supervise\nsys.exit(supervise(sys.argv[1:]))"
    process = subprocess.Popen([sys.executable, "-c", script, *command(seen, "wait")])
    wait_until(lambda: seen.exists() and seen.read_text())
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 128 + signal.SIGTERM
    assert seen.read_text().split() == ["0"]


def test_the_node_gets_the_options_of_the_supervisor(home: Home) -> None:
    args = arguments.build_parser().parse_args(
        [
            "run",
            "--headless",
            "--supervise",
            "--profile",
            "solo",
            "--seed",
            "3",
            "--json",
            "--max-ram",
            "512M",
            "--bootnode",
            "/ip4/1.2.3.4/tcp/5",
        ]
    )
    args.set = ["a.b=c"]
    told = supervisor.headless_arguments(args, home)
    assert told[3:] == [
        *["run", "--headless", "--home", str(home.path), "--profile", "solo"],
        *["--set", "a.b=c", "--max-ram", "0.500000"],
        *["--bootnode", "/ip4/1.2.3.4/tcp/5", "--seed", "3", "--json"],
    ]
    assert os.fspath(told[0]) == sys.executable
