# SPDX-License-Identifier: MIT
"""Taking files from conf/ and filling them in, strictly."""

import os
import re

from .errors import LabError

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))

# What the samples write, and what this lab has in its place: the tunnel's names.
names = {}

_PLACEHOLDER = re.compile(r"@[A-Z][A-Z_]*@")


def source(path):
    """The text of a file of the tree."""
    with open(os.path.join(TOP, path)) as file:
        return file.read()


def uncommented(text, pattern):
    """The one place of the text that fits is in force: a file has it for those who want it."""
    text, count = re.subn(pattern, lambda found: found[0].replace("#", ""), text)
    if count != 1:
        raise LabError(f"{count} places fit {pattern}, not one")
    return text


def here(text):
    """The text with this lab's names of the tunnel."""
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def filled(path, values=None):
    """A file of the tree with its values put in: each must be there, none may stay."""
    text = source(path)
    for old, new in (values or {}).items():
        if old not in text:
            raise LabError(f"{path}: nothing to fill in for {old!r}")
        text = text.replace(old, new)
    text = here(text)
    left = _PLACEHOLDER.search(text)
    if left:
        raise LabError(f"{path}: {left.group()} is not filled in")
    return text
