"""The training runs of a node, read from its journal: for comparing one with another.

A run begins with fresh weights; a start that goes on with a checkpoint goes on with its run. Only
the journal is read, so a run that is under way is there as far as it was written down. What a
thinned journal keeps of old rounds (`core/merged_rounds.py`) is enough for every chart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from core import events
from core.bounded import cut
from core.fold import fold
from core.journal import READ_LIMIT, Journal
from core.series import Series
from core.state import NodeState

MAX_RUNS = 30
"""The newest runs that are kept; a hostile or broken journal may hold thousands of starts."""
NAMES = tuple(
    kind.NAME
    for kind in (
        events.NodeStarted,
        events.ModelLoaded,
        events.GroupsSampled,
        events.StepTrained,
        events.RoundFinished,
        events.RoundsMerged,
        events.Evaluated,
    )
)


@dataclass(frozen=True)
class Run:
    """started, ended: Unix seconds of its first and newest event. starts: of the node, in it.

    rounds: finished in it. first, last: of these, None without any. series: as in NodeState.
    """

    started: float
    ended: float
    model: str
    swarm: str
    starts: int = 1
    rounds: int = 0
    first: int | None = None
    last: int | None = None
    series: Mapping[str, Series] = field(default_factory=dict)


def runs(history: Iterable[events.Event]) -> tuple[Run, ...]:
    """Oldest first, at most `MAX_RUNS`; also those without a finished round."""
    out: list[Run] = []
    state = NodeState()
    waiting: events.NodeStarted | None = None
    for event in history:
        if isinstance(event, events.NodeStarted):
            waiting = event
        elif isinstance(event, events.ModelLoaded):
            if event.checkpoint_round is None or not out:
                state = NodeState()
                out.append(_begun(event, waiting))
                del out[:-MAX_RUNS]
            else:
                out[-1] = replace(out[-1], starts=out[-1].starts + 1)
        else:
            if not out:  # a journal whose first starts are gone
                out.append(_begun(event, waiting))
            state = fold(state, event)
            out[-1] = replace(_counted(out[-1], event), series=state.series, ended=event.time)
    return tuple(out)


def _begun(event: events.Event, start: events.NodeStarted | None) -> Run:
    model = event.model if isinstance(event, events.ModelLoaded) else start.model if start else ""
    time = start.time if start is not None else event.time
    return Run(time, time, cut(model, 200), cut(start.swarm, 200) if start is not None else "")


def _counted(run: Run, event: events.Event) -> Run:
    if isinstance(event, events.RoundFinished):
        first, last, rounds = event.round, event.round, 1
    elif isinstance(event, events.RoundsMerged):
        first, last, rounds = event.first, event.last, event.rounds
    else:
        return run
    return replace(
        run,
        rounds=run.rounds + rounds,
        first=first if run.first is None else run.first,
        last=run.last if last is None else last,
    )


def read_runs(db: Path, stop: Callable[[], bool] = lambda: False) -> tuple[Run, ...]:
    """All runs of a journal; stop: asked between two bounded reads, ends early. StorageError."""
    return runs(_events(Journal(db), stop))


def _events(journal: Journal, stop: Callable[[], bool]) -> Iterator[events.Event]:
    after = -1
    while not stop():
        page = journal.read(after, READ_LIMIT // 10, NAMES)
        if not page:
            return
        yield from (event for _, event in page)
        after = page[-1][0]
