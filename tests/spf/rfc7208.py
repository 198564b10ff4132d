#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts the RFC 7208 test suite (rfc7208-tests.yml) to the SPF code; output is TAP.

The suite stands in $POSTERN_TEST_DATA/spf. The floors are the scores that this tree
reached: they may rise, never fall. Cases that fail are printed with what was wanted.
"""
import os
import subprocess
import sys

# For each engine: results, and results with the explanation too. One text wants hex digits in
# upper case, which RFC 7208 writes in lower case; libspf2 writes one more in the other.
FLOORS = {"rfc7208": (203, 202), "libspf2": (203, 201)}
BUILD = os.environ.get("POSTERN_BUILDDIR", ".")
SOURCE = os.environ.get("POSTERN_SRCDIR", ".")
DATA = os.environ.get("POSTERN_TEST_DATA", os.path.join(SOURCE, "..", "shared", "data"))
SUITE = os.path.join(DATA, "spf", "rfc7208-tests.yml")
HELPER = os.path.join(BUILD, "tests", "spf", "check_cases")


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def encode(value):
    """Text of the suite as the bytes it means; it writes bytes above 127 as characters."""
    if isinstance(value, bytes):
        return value
    text = str(value)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8")


def line(kind, name, *fields):
    return "\t".join([kind, name] + [encode(field).hex() for field in fields])


def record_lines(name, records):
    has_txt = any(isinstance(r, dict) and "TXT" in r for r in records)
    for record in records:
        if record == "TIMEOUT":
            yield line("fail", "-", name)
            continue
        (kind, data), = record.items()
        if kind == "SPF":
            if has_txt:
                continue
            kind = "TXT"
        if data == "NONE" or data == "TIMEOUT":
            continue
        if kind == "TXT":
            parts = data if isinstance(data, list) else [data]
            yield line("rr", "txt", name, b"".join(encode(part) for part in parts))
        elif kind == "MX":
            yield line("rr", "mx", name, f"{data[0]} {data[1]}")
        else:
            yield line("rr", kind.lower(), name, data)


def feed(scenarios):
    """The helper's input, and the wanted results by case."""
    lines, wanted = [], {}
    for scenario in scenarios:
        lines.append("new")
        for name, records in scenario["zonedata"].items():
            lines.extend(record_lines(name, records))
        default = "DEFAULT"
        for case_name, case in scenario["tests"].items():
            key = f"{scenario['description']}/{case_name}".replace("\t", " ")
            results = case["result"]
            wanted[key] = ([results] if isinstance(results, str) else results,
                           case.get("explanation", default))
            lines.append(line("case", key, case["host"], case["helo"] or "",
                              case["mailfrom"] or ""))
    return lines, wanted


def report(number, good, text):
    print(f"{'ok' if good else 'not ok'} {number} - {text}")


def main():
    try:
        import yaml
    except ImportError:
        skip("python3-yaml is not installed")
    if not os.path.exists(SUITE):
        skip("no rfc7208-tests.yml; set POSTERN_TEST_DATA to the folder that has spf/")
    with open(SUITE, encoding="utf-8") as suite:
        scenarios = list(yaml.load_all(suite, Loader=yaml.SafeLoader))
    lines, wanted = feed(scenarios)
    for number, engine in enumerate(FLOORS):
        judge(engine, 3 * number + 1, "\n".join(lines) + "\n", wanted)
    print(f"1..{3 * len(FLOORS)}")


def judge(engine, number, lines, wanted):
    """Puts all cases to one engine; three test points from that number on."""
    run = subprocess.run([HELPER, engine], input=lines, text=True, timeout=300,
                         encoding="latin-1", stdout=subprocess.PIPE, check=False)
    if run.returncode == 77:
        for point in range(number, number + 3):
            print(f"ok {point} - {engine} # SKIP this build does not have it")
        return
    good_results = good_texts = 0
    answered = set()
    for answer in run.stdout.splitlines():
        key, result, lookups, voids, mechanism, explanation, reason = answer.split("\t")
        results, text = wanted[key]
        answered.add(key)
        is_result = result in results
        is_text = text == "DEFAULT" or explanation == text or result != "fail"
        good_results += is_result
        good_texts += is_result and is_text
        if not (is_result and is_text):
            print(f"# {engine}, {key}: want {'/'.join(results)} \"{text}\", got {result} "
                  f"\"{explanation}\" ({mechanism} {reason} {lookups}+{voids})")
    results_floor, texts_floor = FLOORS[engine]
    report(number, answered == set(wanted) and run.returncode == 0,
           f"{engine}: all {len(wanted)} cases were answered")
    report(number + 1, good_results >= results_floor,
           f"{engine}: {good_results} of {len(wanted)} results as RFC 7208 wants, "
           f"floor {results_floor}")
    report(number + 2, good_texts >= texts_floor,
           f"{engine}: {good_texts} of {len(wanted)} with the explanation too, "
           f"floor {texts_floor}")


if __name__ == "__main__":
    main()
