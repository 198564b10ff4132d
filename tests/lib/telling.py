# SPDX-License-Identifier: MIT
"""What the stories of tests/demo share: how they tell, and what a client is answered."""

import re
import smtplib
import textwrap

from scenario import ALICE, PASSWORDS


# --- saying ---

def heading(text):
    print(f"\n\n== {text}", flush=True)


def tell(text):
    print()
    print(textwrap.fill(" ".join(text.split()), 78), flush=True)


def show(text):
    """What a program really said."""
    print()
    for line in text.strip("\r\n").splitlines():
        print("    " + line.replace("\t", "    ").rstrip(), flush=True)


def show_answers(answers):
    print()
    for place, answer in answers.items():
        print(textwrap.fill(answer, 78, initial_indent=f"    {place:11} ",
                            subsequent_indent=" " * 16), flush=True)


# --- what a client is answered ---

def answers_everywhere(lab, source):
    """What IMAP, submission and SMTP say to a client that knows Alice's password."""
    return {"IMAP": unquoted(lab.imap(source, ALICE, PASSWORDS[ALICE])),
            "submission": lab.submission_login(source, ALICE, PASSWORDS[ALICE]),
            "SMTP": answer_on_port_25(lab, source)}


def unquoted(answer):
    """imaplib gives the server's words as Python writes bytes."""
    return re.sub(r"^b(['\"])(.*)\1$", r"\2", answer)


def serves(answer):
    return answer == "ok" or answer.startswith("250 ")


def answer_on_port_25(lab, source):
    """The last answer to a mail for Alice, as far as RCPT."""
    try:
        with lab.smtp(source) as session:
            code, text = session.mail("joe@nospf.example.org")
            if code == 250:
                code, text = session.rcpt(ALICE)
            return f"{code} {text.decode()}"
    except smtplib.SMTPResponseException as error:
        return f"{error.smtp_code} {error.smtp_error.decode()}"
