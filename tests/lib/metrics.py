# SPDX-License-Identifier: MIT
"""What a daemon tells Prometheus: read, held against its page, judged by promtool."""

import os
import re
import shutil
import subprocess

SRCDIR = os.environ.get("POSTERN_SRCDIR", ".")
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? ([0-9.]+)')


class Metrics:
    """One answer of GET /metrics: the text, help and type by name, values by name and labels."""

    def __init__(self, text):
        self.text, self.help, self.type, self.values = text, {}, {}, {}
        for line in text.splitlines():
            words = line.split(" ", 3)
            if line.startswith("# HELP "):
                self.help[words[2]] = words[3]
            elif line.startswith("# TYPE "):
                self.type[words[2]] = words[3]
            else:
                found = SAMPLE.fullmatch(line)
                assert found, f"no sample: {line!r}"
                key = found[1] + (f"{{{found[2]}}}" if found[2] else "")
                assert key not in self.values, f"twice: {key}"
                self.values[key] = float(found[3])

    def __getitem__(self, key):
        return self.values[key]

    def labels(self, name):
        """The names of the labels that samples of this metric have."""
        return {tuple(re.findall(r'([a-z_]+)="', key)) for key in self.values
                if key.split("{")[0] == name}


def documented(page):
    """Name to (type, help, labels), as the section METRICS of a page has them."""
    with open(os.path.join(SRCDIR, "doc", page), encoding="utf-8") as source:
        section = re.search(r"^\.Sh METRICS\n(.*?)^\.Sh ", source.read(), re.M | re.S)
    entries = re.findall(r"^\.It Li ([a-z_]+)(?:{([a-z_,]+)})?\n([A-Z][a-z]+)\.\n(.*)\n",
                         section[1], re.M)
    return {name: (kind.lower(), text, tuple(labels.split(",")) if labels else ())
            for name, labels, kind, text in entries}


def check_page(metrics, page):
    """The page has what is served, and nothing else."""
    wanted = documented(page)
    assert set(wanted) == set(metrics.help), set(wanted) ^ set(metrics.help)
    for name, (kind, text, labels) in wanted.items():
        assert (metrics.type[name], metrics.help[name]) == (kind, text), name
        if kind == "histogram":
            continue
        assert metrics.labels(name) <= {labels}, (name, metrics.labels(name))


def promtool(metrics):
    """None when promtool finds nothing, else what it says; Skip is the caller's to raise."""
    said = subprocess.run(["promtool", "check", "metrics"], input=metrics.text, text=True,
                          capture_output=True, check=False)
    return None if said.returncode == 0 and not said.stdout + said.stderr else vars(said)


def has_promtool():
    return shutil.which("promtool") is not None
