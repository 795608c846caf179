"""What of a web address may be told: host and port. User, path and query of an RPC's hold API keys.

Imports nothing heavy, so that every listing can use it.
"""

from __future__ import annotations

from urllib.parse import urlsplit


def shown_url(url: str) -> str:
    """Scheme, host and port of one address."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or '?'}{port}"
    except ValueError:
        return "?"


def shown_urls(urls: str) -> str:
    """Of several with commas between them; an ellipsis stands where something was left out."""
    listed = (each.strip() for each in urls.split(","))
    return ", ".join(
        shown if shown == each.rstrip("/") else f"{shown}/..."
        for each in listed
        if each
        for shown in [shown_url(each)]
    )
