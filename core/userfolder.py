"""A folder of this user that no home owns: for what two homes on one machine must agree on.

It is in the state folder: the system's runtime folder goes away with the last login, while a node
in the background runs on. Homes of different users cannot meet there, and do not.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)


def user_folder(name: str) -> Path:
    """The folder of that name, made 0700. OSError when there is no place for it.

    The temporary folder is for users without a home, as in a container; there another user may
    have made a folder of that name, which is then not used.
    """
    import platformdirs

    state = Path(platformdirs.user_state_dir("waggle", appauthor=False)) / name
    for path in (state, Path(tempfile.gettempdir()) / f"waggle-{os.getuid()}-{name}"):
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if path.lstat().st_uid == os.getuid() and os.access(path, os.W_OK):
                return path
        except OSError as error:
            log.debug("nothing can be kept in %s: %s", path, error)
    raise OSError(f"neither {state.parent} nor the temporary folder can be used")
