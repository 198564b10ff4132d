/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/process.h"
#include "ctl/ctl.h"
#include "ctl/options.h"
#include "ctl/output.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define OPTION_CONTROL                                                                             \
    {                                                                                              \
        "control", 0, "unix:PATH", "policyd's control socket, instead of the file's"               \
    }

static const struct ctl_option daemon_options[] = {OPTION_CONTROL};

#define OPTION_LOGIN                                                                               \
    {                                                                                              \
        "login", 0, NULL, "it is a login, though it has no @"                                      \
    }

static const struct ctl_option who_options[] = {OPTION_LOGIN, OPTION_CONTROL};

static const struct ctl_option ban_options[] = {
    OPTION_LOGIN,
    {"for", 0, "TIME", "how long: seconds, or 10m, 1h, 2d, 1w (1h)"},
    OPTION_CONTROL,
};

static const struct ctl_option watch_options[] = {
    {"events", 0, NULL, "what clients do, too, whether it is counted or not"},
    OPTION_CONTROL,
};

#define OPTION_IP                                                                                  \
    {                                                                                              \
        "ip", 0, "ADDRESS", "the client"                                                           \
    }
#define OPTION_HELO                                                                                \
    {                                                                                              \
        "helo", 0, "NAME", "what it said in HELO or EHLO"                                          \
    }
#define OPTION_SENDER                                                                              \
    {                                                                                              \
        "sender", 0, "ADDRESS", "MAIL FROM; \"<>\" for the null sender"                            \
    }
#define OPTION_RESOLVER                                                                            \
    {                                                                                              \
        "resolver", 0, "HOST@PORT", "ask this DNS server (/etc/resolv.conf)"                       \
    }
#define OPTION_ENGINE                                                                              \
    {                                                                                              \
        "engine", 0, "NAME", "which implementation judges (rfc7208)"                               \
    }

static const struct ctl_option spf_options[] = {
    OPTION_IP, OPTION_HELO, OPTION_SENDER, OPTION_RESOLVER, OPTION_ENGINE,
};

static const struct ctl_option verify_options[] = {
    OPTION_IP,     OPTION_HELO,
    OPTION_SENDER, OPTION_RESOLVER,
    OPTION_ENGINE, {"authserv-id", 0, "NAME", "whose results these are (this host's name)"},
};

static const struct ctl_option sign_options[] = {
    {"domain", 0, "DOMAIN", "who signs (d=)"},
    {"selector", 0, "NAME", "which of its keys (s=)"},
    {"key", 0, "FILE", "the private key, PEM"},
};

static const struct ctl_option keygen_options[] = {
    {"selector", 0, "NAME", "the name of the key (year and month)"},
    {"type", 0, "TYPE", "rsa or ed25519 (rsa)"},
    {"bits", 0, "N", "how long, of rsa (2048)"},
    {"directory", 0, "DIR", "where its file goes (" PN_SYSCONFDIR "/postern/dkim)"},
};

const struct ctl_command ctl_commands[] = {
    {"config", "", "Print the checked configuration, or all its errors", "", NULL, 0, 0, 0,
     ctl_run_config},
    {"status", "", "Print how postern-policyd is", "Exit status 1 when it is degraded.\n",
     daemon_options, COUNT(daemon_options), 0, 0, ctl_run_status},
    {"bans", "", "List who is banned", "", daemon_options, COUNT(daemon_options), 0, 0,
     ctl_run_bans},
    {"ban", "PREFIX | LOGIN", "Ban an address, a network or a login",
     "A ban that holds gets a new end. Gateways, this host, trusted and ignored nets\n"
     "cannot be banned. A login is banned wherever it comes from.\n",
     ban_options, COUNT(ban_options), 1, 1, ctl_run_ban},
    {"unban", "PREFIX | LOGIN", "Lift a ban", "PREFIX or LOGIN as `posternctl bans` shows it.\n",
     who_options, COUNT(who_options), 1, 1, ctl_run_unban},
    {"why", "ADDRESS | LOGIN", "Tell why somebody is banned, or what is known of him",
     "The events that led to it, the newest first, and what jails count now. ADDRESS may be a\n"
     "network as `posternctl bans` shows it. Exit status 1 when it is not banned.\n",
     who_options, COUNT(who_options), 1, 1, ctl_run_why},
    {"counters", "KEY", "Print what jails count of an address, a network or a login",
     "Exit status 1 when they count nothing.\n", daemon_options, COUNT(daemon_options), 1, 1,
     ctl_run_counters},
    {"jails", "[test FILE]", "List the jails, what they count and whom they hold",
     "With test FILE, take the events in FILE through the jails of the configuration, each at\n"
     "its time, and print what postern-policyd would have answered and logged, then a total for\n"
     "each jail; - for standard input. Needs no daemon that runs.\n",
     daemon_options, COUNT(daemon_options), 0, 2, ctl_run_jails},
    {"watch", "", "Print bans as they are set and end, until interrupted",
     "With --json one document a line. Exit status 2 when the daemon goes away.\n", watch_options,
     COUNT(watch_options), 0, 0, ctl_run_watch},
    {"route", "SENDER [RECIPIENT]", "Print by which relays a sender's mail leaves",
     "Exit status 1 when no route matches. \"<>\" is the null sender.\n", daemon_options,
     COUNT(daemon_options), 1, 2, ctl_run_route},
    {"spf", "", "Check a client by SPF, as the milter does",
     "Needs --ip and --helo or --sender; no configuration and no daemon.\n"
     "Exit status 0 for pass, 1 for any other result.\n",
     spf_options, COUNT(spf_options), 0, 0, ctl_run_spf},
    {"verify", "FILE", "Print the Authentication-Results of a message",
     "FILE is a message with LF or CRLF line ends, - for standard input. Without --ip SPF is\n"
     "not judged and DMARC rests on DKIM. Needs no configuration and no daemon.\n"
     "Exit status 0 when SPF or a DKIM signature passes, else 1.\n",
     verify_options, COUNT(verify_options), 1, 1, ctl_run_verify},
    {"sign", "FILE", "Print a message with a DKIM signature on top",
     "Needs --domain, --selector and --key, no configuration and no daemon. FILE is a message\n"
     "with LF or CRLF line ends, which stay; - for standard input. One that this key has signed\n"
     "already stays as it is. Exit status 1 for a message without or with two From fields.\n",
     sign_options, COUNT(sign_options), 1, 1, ctl_run_sign},
    {"keygen", "DOMAIN", "Make a DKIM key for a domain",
     "Writes DIR/DOMAIN.SELECTOR.key, never over one that exists, and prints its DNS record and\n"
     "the section of postern.conf that signs with it. As root, the key's group becomes that of\n"
     "the configuration's user, mode 0640; else it is yours, mode 0600.\n",
     keygen_options, COUNT(keygen_options), 1, 1, ctl_run_keygen},
    {"proxy", "", "Tell what a PROXY header says",
     "Reads the bytes that a gateway sends first, version 1 or 2 of the PROXY protocol, from\n"
     "standard input and prints JSON as soon as they are a header or cannot become one.\n"
     "Needs no configuration and no daemon.\n"
     "Exit status 0 for proxy and local, 1 for incomplete and reject.\n",
     NULL, 0, 0, 0, ctl_run_proxy},
};
const size_t ctl_command_count = COUNT(ctl_commands);

static enum ctl_exit run(const struct ctl *ctl)
{
    if (ctl_value(ctl, "help")) {
        options_help(ctl->command, stdout);
        return CTL_YES;
    }
    if (ctl_value(ctl, "version")) {
        puts("posternctl " PACKAGE_VERSION);
        return CTL_YES;
    }
    return ctl->command->run(ctl);
}

int main(int argc, char **argv)
{
    struct ctl ctl;
    struct error error = {0};

    /* a daemon that goes away, or `posternctl … | head`, is an error to tell, not a death */
    signal(SIGPIPE, SIG_IGN);
    process_guard_secrets();
    log_open("posternctl", LOG_TARGET_STDERR, LOG_LEVEL_WARNING);
    enum ctl_exit rc =
        options_parse(&ctl, argc, argv, &error) < 0 ? ctl_fail(&ctl, &error) : run(&ctl);
    return output_flush() < 0 ? CTL_FAILED : rc;
}
