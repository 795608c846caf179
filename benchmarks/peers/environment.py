"""GenRL's own environment: its published package, beside Waggle's torch and transformers.

A virtual environment in the benchmark's folder, with `gensyn-genrl` and whatever it needs installed
by pip from the index; a .pth file lends it the packages of the environment that runs the benchmark,
so that both contestants compute with the same torch and transformers, and gigabytes are not
installed twice. Its trainer imports neither hivemind nor web3: no shim is needed for them here.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

REQUIREMENT = "gensyn-genrl==0.3.0"


def genrl_python(folder: Path) -> Path:
    """The interpreter of that environment, made first when it is not there."""
    environment = folder / REQUIREMENT.replace("==", "-")
    python = environment / "bin" / "python"
    if (environment / "complete").exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
    own = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    Path(own, "waggle.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", REQUIREMENT], check=True)
    (environment / "complete").touch()
    return python
