"""Texts as YAML, and as comments in it."""

import re

import yaml

from mtlrun.util.interpolation import escaped


def scalar(text: str) -> str:
    """A text as a value in YAML. `${` is escaped so that it is no interpolation."""
    return key(escaped(text))


def key(text: str) -> str:
    """A text as a key in YAML, quoted unless it is a plain word."""
    if re.fullmatch(r"[A-Za-z_][\w./-]*", text, flags=re.ASCII) and yaml.safe_load(text) == text:
        return text
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**9)).strip()


def one_line(text: str) -> str:
    """A comment without line breaks."""
    return " ".join(text.split())
