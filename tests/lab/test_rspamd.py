#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Beside rspamd, as in mailcow: both say what they found, and what rspamd does stands."""

import contextlib
import re
import smtplib

from labkit.errors import until
from labkit.fill import filled
from labkit.home import milter_with
from scenario import (ALICE, Lab, auth_results, expect, expect_equal, fields, main, marked, message,
                      new_mark, signed)

RIGHT, WRONG = "203.0.113.50", "203.0.113.51"
OURS, THEIRS = "postern.example.com", "mail.example.com"  # rspamd takes Postfix's own name
SOCKET = "/run/rspamd/milter"
OVERRIDE = "/etc/rspamd/override.d/milter_headers.conf"
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

# Debian's own files of the modules, and no others. The list of top-level domains that
# it ships takes long to compile, and is for finding links in bodies.
CONFIGURATION = f"""
options {{
    filters = "dkim";
    explicit_modules = ["spf", "dmarc", "milter_headers"];
    url_tld = "/etc/rspamd/lab-domains";
}}
logging {{ type = "console"; level = "info"; }}
lua = "/etc/rspamd/lab-rules.lua";
modules {{
    path = "/usr/share/rspamd/plugins/spf.lua";
    path = "/usr/share/rspamd/plugins/dmarc.lua";
    path = "/usr/share/rspamd/plugins/milter_headers.lua";
}}
actions {{ reject = 15; add_header = 8; }}
group "spf" {{ symbols = {{ "R_SPF_FAIL" {{ weight = 9; }} }} }}
.include "/etc/rspamd/modules.d/dkim.conf"
.include "/etc/rspamd/modules.d/spf.conf"
.include "/etc/rspamd/modules.d/dmarc.conf"
.include "/etc/rspamd/modules.d/milter_headers.conf"
worker "rspamd_proxy" {{
    bind_socket = "{SOCKET} mode=0666";
    milter = yes;
    count = 1;
    upstream "local" {{ default = yes; self_scan = yes; }}
}}
"""

# What mailcow has there, as far as it is about these fields.
MAILCOW = """
use = ["spam-header", "authentication-results"];
routines {
  spam-header { header = "X-Spam-Flag"; value = "YES"; remove = 1; }
  authentication-results { remove = 1; add_smtp_user = false; }
}
"""

POSTERN = {'#authserv_id = ""': f'authserv_id = "{OURS}"', '#preset = ""': 'preset = "verify_only"'}


def start_rspamd(home):
    home.service("rspamd", "rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c",
                 "/etc/rspamd/lab.conf")
    home.wait_listening("rspamd", f"unix:{SOCKET}")


def stop_rspamd(home):
    home.run("kill", str(home.service_pid("rspamd")))
    until("end of rspamd", lambda: not home.service_lives("rspamd"))
    home.run("rm", "-f", SOCKET)


def write_files(home):
    home.write("/etc/rspamd/lab.conf", CONFIGURATION)
    home.write("/etc/rspamd/lab-domains", "com\nnet\norg\n")
    home.write("/etc/rspamd/lab-rules.lua", "")
    home.write("/etc/rspamd/local.d/milter_headers.conf", MAILCOW)
    home.write(OVERRIDE, filled("conf/mailcow/milter_headers.conf"))
    home.run("install", "-d", "-o", "_rspamd", "-g", "_rspamd", "/run/rspamd", "/var/lib/rspamd")


def replaced(text, pattern, new, count):
    """The text with something else in as many places as there must be."""
    text, found = re.subn(pattern, new, text)
    expect_equal(found, count, pattern)
    return text


@contextlib.contextmanager
def both_milters(home):
    """Both in place of ours: a parameter that stands twice makes Postfix warn at each start.

    In mailcow the services have no name of their own, so rspamd takes the host's.
    """
    paths = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
    main_cf, master_cf = before = [home.read(path) for path in paths]
    both = filled("conf/mailcow/extra.cf", {"inet:172.22.1.1:8890": "unix:/run/postern/milter",
                                            "inet:rspamd:9900": f"unix:{SOCKET}"})
    home.write(paths[0], replaced(main_cf, r"(?m)^smtpd_milters = .*\n(?:[ \t].*\n)*", both, 1))
    home.write(paths[1], replaced(master_cf, r"milter_macro_daemon_name=gateway\n",
                                  f"milter_macro_daemon_name={THEIRS}\n", 3))
    Lab().reload_postfix()
    try:
        yield
    finally:
        for path, text in zip(paths, before):
            home.write(path, text)
        Lab().reload_postfix()


@contextlib.contextmanager
def beside_rspamd(home):
    write_files(home)
    start_rspamd(home)
    try:
        with milter_with(home, POSTERN), both_milters(home):
            yield
    finally:
        stop_rspamd(home)


def results_of(raw, authserv_id):
    """The one field of this name."""
    found = [x for x in auth_results(raw) if x.split(";")[0].strip() == authserv_id]
    expect_equal(len(found), 1, f"fields of {authserv_id} in {auth_results(raw)}")
    return found[0]


def refusal(lab, text, source=RIGHT):
    """The server's words after the message."""
    try:
        with lab.smtp(source, helo="mx.sender.example.net") as session:
            session.sendmail("joe@sender.example.net", [ALICE], text)
    except smtplib.SMTPDataError as error:
        return f"{error.smtp_code} {error.smtp_error.decode()}"
    return "250"


def test_both_fields_arrive(lab):
    raw = lab.deliver(RIGHT, signed(lab, message()))
    expect_equal(len(auth_results(raw)), 2, "fields")
    expect(all(name != "X-Spam-Flag" for name, _ in fields(raw)), "it is flagged")
    for name in OURS, THEIRS:
        for result in "spf=pass", "dkim=pass":
            expect(result in results_of(raw, name), f"no {result} in {results_of(raw, name)}")


def test_forged_fields_of_both_are_gone(lab):
    forged = [f"Authentication-Results: {name}; spf=pass smtp.mailfrom=forged.example"
              for name in (OURS, THEIRS)]
    raw = lab.deliver(WRONG, message(headers=forged))
    expect_equal(len(auth_results(raw)), 2, f"fields, {auth_results(raw)}")
    expect(b"forged.example" not in raw, "a forged field stayed")


def test_rspamd_rejects_what_ours_has_judged(lab):
    mark = new_mark("gtube")
    found = refusal(lab, marked(mark, message(body=GTUBE + "\r\n")))
    expect(found.startswith("554 5.7.1 Gtube pattern"), found)
    expect(lab.find_mail(mark) is None, "it was delivered")
    queue_id = re.findall(r"(\w+): milter-reject: END-OF-MESSAGE .*Gtube pattern",
                          lab.home.read("/var/log/mail.log"))[-1]
    expect(f" {queue_id} message client={RIGHT} " in lab.home.read("/var/log/postern-milter.log"),
           f"ours did not judge {queue_id} before")


def test_rspamd_flags_what_ours_has_judged(lab):
    raw = lab.deliver(WRONG, signed(lab, message()))
    expect(("X-Spam-Flag", "YES") in fields(raw), f"no flag in {fields(raw)}")
    for name in OURS, THEIRS:
        for result in "spf=fail", "dkim=pass":
            expect(result in results_of(raw, name), f"no {result} in {results_of(raw, name)}")


def test_what_mailcow_removes_without_our_file(lab):
    """What conf/mailcow/milter_headers.conf is there for."""
    lab.home.run("rm", OVERRIDE)
    stop_rspamd(lab.home)
    start_rspamd(lab.home)
    try:
        found = auth_results(lab.deliver(RIGHT, message()))
    finally:
        write_files(lab.home)
        stop_rspamd(lab.home)
        start_rspamd(lab.home)
    expect_equal([x.split(";")[0] for x in found], [THEIRS], "whose fields are left")


if __name__ == "__main__":
    main(globals(), beside_rspamd)
