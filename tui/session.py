"""One run of the console on a real terminal, from taking the screen to giving it back."""

from __future__ import annotations

import os
import signal
import threading

from core.config import Effective
from core.errors import WaggleError
from core.home import Home
from core.texts import _
from tui.app import WaggleApp
from tui.node_like import Loader, NodeFactory, NodeLike, make_node
from tui.terminal import RESTORE_TITLE, captured_descriptors

END_TIMEOUT_S = 30.0


def run_session(
    home: Home,
    effective: Effective | None,
    onboarding: bool,
    load: Loader | None = None,
    node_factory: NodeFactory = make_node,
) -> int:
    """Run the console until the person leaves. 0 when the node ended well.

    load: how to read the configuration once onboarding has saved it; default: from the home.
    """
    if not (os.isatty(0) and (os.isatty(1) or os.isatty(2))):
        raise WaggleError(
            _("The console needs a terminal"),
            _("standard input or output is not one"),
            _("Run it in a terminal, or use `waggle run --headless`"),
        )
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        raise WaggleError(
            _("This terminal cannot show a console"),
            _("it says that it is TERM={term}, which cannot place a cursor").format(
                term=os.environ.get("TERM", "")
            ),
            _("Use `waggle run --headless`; or set TERM, if it can do more (TERM=xterm-256color)"),
        )
    home.create()
    with captured_descriptors(home.logs / "console.log") as tty:
        app = WaggleApp(
            home, effective, onboarding=onboarding, load=load, node_factory=node_factory, tty=tty
        )
        why = app.run()
        if not tty.lost and why != "lost":
            tty.write(RESTORE_TITLE)
            tty.flush()
        if app.node is not None and why != "stopped":
            keep = (
                app.effective is not None and app.effective.config.console.on_hangup == "continue"
            )
            finish(app.node, keep and why == "lost")
    if app.return_code:
        raise WaggleError(
            _("The console failed"),
            _("this is a bug in Waggle or in a library it uses"),
            _("The node was stopped cleanly. {file} has the details").format(
                file=home.logs / "console.log"
            ),
        )
    if app.failure is not None:
        raise app.failure
    if app.node is not None and app.node.error is not None:
        raise app.node.error
    return 0


def finish(node: NodeLike, keep_running: bool) -> None:
    """Without a screen: stop the node cleanly, or let it run until a signal asks it to stop."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if keep_running:
        while not asked.is_set() and not node.join(1.0):
            pass
    node.stop(now=True)
    node.join(END_TIMEOUT_S)
    node.close()
