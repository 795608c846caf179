"""What may be a key in an address is not shown, wherever the configuration is."""

from __future__ import annotations

import json

import pytest

from core import config
from core.home import Home
from core.listings import configuration
from core.urls import shown_url, shown_urls

SECRET = "https://user:PASSWORD@rpc.example:8443/v2/KEY?token=TOKEN"


def test_host_and_port_are_all_that_is_told() -> None:
    assert shown_url(SECRET) == "https://rpc.example:8443"
    assert shown_url("http://[::1:99/") == "?"
    assert shown_urls("") == ""
    assert shown_urls("http://127.0.0.1:8545") == "http://127.0.0.1:8545"
    assert shown_urls(f"http://127.0.0.1:8545/, {SECRET},") == (
        "http://127.0.0.1:8545, https://rpc.example:8443/..."
    )


@pytest.mark.parametrize("as_json", [False, True])
def test_the_listing_of_the_configuration_shows_no_key(
    home: Home, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    effective = config.load("solo", home, sets=[f"chain.rpc_url={SECRET}"])
    configuration(effective, as_json)
    printed = capsys.readouterr().out
    assert "https://rpc.example:8443/..." in printed
    for secret in ("PASSWORD", "KEY", "TOKEN"):
        assert secret not in printed
    if as_json:
        assert json.loads(printed)["settings"]["chain.rpc_url"]["origin"] == "flag"
