"""Events in a line of plain words: for the log, and for `run --headless` without `--json`."""

from __future__ import annotations

import logging

from core import events
from core.errors import WaggleError

logger = logging.getLogger("node")


def line(event: events.Event) -> str:
    """What a person would want to read of this event; empty for what is only for screens."""
    if isinstance(event, events.RoundFinished):
        return _round(event)
    if isinstance(event, events.Incident):
        return str(WaggleError(event.what, event.why, event.next_step))
    if isinstance(event, events.NodeStarted):
        return f"{event.name} ({event.peer_id}), swarm {event.swarm}, home {event.home}"
    if isinstance(event, events.ModelLoaded):
        resumed = ""
        if event.checkpoint_round is not None:
            resumed = f", as of round {event.checkpoint_round}"
        peak = ""
        if event.estimated_peak_mib:
            peak = f", at most about {event.estimated_peak_mib / 1024:.1f} GiB"
        return (
            f"model {event.model}{resumed}: {event.parameters / 1e6:.1f} M parameters,"
            f" {event.dtype} on {event.device}; {event.recipe or 'full'}{peak};"
            f" {event.machine or f'threads {event.threads}'}"
        )
    if isinstance(event, events.Evaluated):
        return f"held-out pass@1 {event.pass_at_1:.3f}, greedy {event.greedy_pass_at_1:.3f}"
    return ""


def log(event: events.Event) -> None:
    """Write the event to the log, where it has something to say there."""
    if isinstance(event, events.Incident):
        logger.log(logging.ERROR if event.level == "error" else logging.WARNING, line(event))
    elif isinstance(event, events.ServiceChanged):
        logger.info("%s: %s %s", event.service, event.status, event.detail)
    elif isinstance(event, events.SubmissionChanged):
        if event.status in ("confirmed", "failed"):
            what = event.kind if event.round is None else f"{event.kind} of round {event.round}"
            logger.info("%s: %s %s", what, event.status, event.error)
    elif isinstance(event, events.StepSkipped):
        logger.info("round %s: no step taken (%s)", event.round, event.reason)
    elif isinstance(event, events.CheckpointSaved):
        logger.info("checkpoint of round %s saved", event.round)
    elif isinstance(event, events.PeerQuarantined):
        logger.warning("peer %s is left alone: %s", event.name, event.reason)
    elif isinstance(event, events.PeerReleased):
        logger.info("peer %s is no longer left alone", event.peer_id)
    elif isinstance(event, events.NodeStopped):
        logger.info("node stopped (%s)", event.reason)
    elif said := line(event):
        logger.info(said)


def _round(event: events.RoundFinished) -> str:
    loss = "skipped" if event.loss is None else f"{event.loss:+.4f}"
    shared = f"  foreign {event.foreign_groups}" if event.peers else ""
    return (
        f"round {event.round:>5}  reward {event.reward_mean:.3f}  loss {loss}"
        f"  {event.seconds:.1f} s  {event.tokens_per_s:.0f} tok/s{shared}"
    )
