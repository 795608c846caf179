"""The texts of the console in the language of the person who reads them.

Every text goes through `_`, or through `many` where a number decides between forms. English is what
stands in the source; a translation is a gettext catalogue in `core/locale`, chosen once by what the
environment says (LANGUAGE, LC_ALL, LC_MESSAGES, LANG), when the first text is asked for. A text
that a translation lacks, or gets wrong so that filling it in would fail, stays English. What it
does not know: who shows the texts, and where.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Mapping
from functools import cache
from itertools import takewhile
from pathlib import Path
from struct import error as TooShort

DOMAIN = "waggle"
FOLDER = Path(__file__).parent / "locale"
VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
ENGLISH = ("", "c", "posix", "en")
"""What needs no catalogue. A language that is named after it is not wanted either."""


def _(text: str, context: str = "") -> str:
    """`text` in this language; its {placeholders} are filled in with `.format` afterwards.

    context: a word that tells two meanings of one English text apart, for the translator only.
    """
    return _catalogue().pgettext(context, text) if context else _catalogue().gettext(text)


def many(one: str, other: str, n: int) -> str:
    """The form that goes with `n`: `many("{n} round", "{n} rounds", n).format(n=n)`."""
    return _catalogue().ngettext(one, other, n)


def languages(environment: Mapping[str, str]) -> list[str]:
    """The languages that are wanted before English, best first: `["pt_BR.UTF-8", "pt"]`."""
    told = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    return list(takewhile(lambda name: _tongue(name) not in ENGLISH, told.split(":")))


def _tongue(name: str) -> str:
    """`de` of `de_AT.UTF-8@euro`."""
    return name.replace(".", "_").replace("@", "_").partition("_")[0].lower()


@cache
def _catalogue() -> gettext.NullTranslations:
    wanted = languages(os.environ)
    if not wanted:
        return gettext.NullTranslations()
    try:
        return gettext.translation(DOMAIN, FOLDER, wanted, Checked, fallback=True)
    except (OSError, ValueError, LookupError, ArithmeticError, TooShort) as error:
        import logging

        logging.getLogger(__name__).warning("a translation cannot be read: %s", error)
        return gettext.NullTranslations()


class Checked(gettext.GNUTranslations):
    """A catalogue of which only those translations are used that can be filled in.

    A placeholder must be one of the English text, with the same format; a text that is not counted
    must have them all. So a translation can neither make a screen fail nor read what is not meant
    for it (`{name.__class__}`).
    """

    def gettext(self, message: str) -> str:
        told = super().gettext(message)
        return told if _fields(told) == _fields(message) else message

    def pgettext(self, context: str, message: str) -> str:
        told = super().pgettext(context, message)
        return told if _fields(told) == _fields(message) else message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        english = msgid1 if n == 1 else msgid2
        try:
            told = super().ngettext(msgid1, msgid2, n)
        except ArithmeticError:  # a plural rule that divides by nothing
            return english
        found, known = _fields(told), (_fields(msgid1) or set()) | (_fields(msgid2) or set())
        return english if found is None or found - known else told


@cache
def _fields(text: str) -> frozenset[tuple[str, str, str]] | None:
    """(name, format, conversion) of each placeholder; None where a brace is out of place."""
    from string import Formatter

    try:
        return frozenset(
            (name, form or "", how or "")
            for _text, name, form, how in Formatter().parse(text)
            if name is not None
        )
    except ValueError:
        return None
