"""Texts that OmegaConf must not read as references."""

import re


def escaped(text: str) -> str:
    """The text with `${` escaped, so that OmegaConf reads these characters and no reference such as ${seed}."""
    return re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + "\\${", text)
