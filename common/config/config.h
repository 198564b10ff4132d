/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_CONFIG_H
#define PN_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/prefixset.h"

/*
 * The checked configuration: what postern.conf(5) says, typed, complete and
 * consistent. Made by config_load(), then constant; read from any thread.
 * Option names, defaults and ranges stand in schema.c and nowhere else.
 */

#define CONFIG_PATH_DEFAULT PN_SYSCONFDIR "/postern/postern.conf"

struct config_strings {
    char **items;
    size_t count;
};

enum config_gateway_type {
    GATEWAY_NGINX,
    GATEWAY_HAPROXY,
    GATEWAY_NFTABLES,            /* DNAT: clients come by their own addresses */
    GATEWAY_NFTABLES_MASQUERADE, /* DNAT: all come by the tunnel's address */
    GATEWAY_PF,                  /* as GATEWAY_NFTABLES */
};

/* What relays mail there, for the form of its Received field. */
enum config_mta { CONFIG_MTA_NONE, CONFIG_MTA_POSTFIX, CONFIG_MTA_EXIM };

/* A public host whose connections carry other people's mail. */
struct config_gateway {
    char *name;
    enum config_gateway_type type;
    struct prefixlist public_addresses; /* single addresses */
    struct prefixlist
        header_destinations; /* single addresses; the public ones when the file names none */
    struct config_strings daemon_names; /* of the smtpd that take its PROXY headers; none
                                           where it sends none, as header_destinations */
    struct prefixlist tunnel_addresses; /* single addresses: the peer as home sees it */
    enum config_mta mta;
    char *mta_name; /* as its Received fields have it; NULL exactly without an MTA */
    struct config_strings mta_daemon_names; /* of the smtpd that take its mail; none without one */
};

/* Whether its connections begin with a PROXY header. */
bool gateway_sends_header(const struct config_gateway *gateway);
/* Whether its clients come by their own addresses, without a header. */
bool gateway_keeps_client(const struct config_gateway *gateway);

/* How the server learns who the client is. */
enum config_forward_as {
    FORWARD_AS_PROXY,       /* by a PROXY header */
    FORWARD_AS_TRANSPARENT, /* it sees the client's address */
    FORWARD_AS_PLAIN,       /* not at all; the milter and policyd ask the ingress */
};

/* A port at home that takes connections from the gateways. */
struct config_ingress {
    char *name;
    char *listen;                   /* "HOST:PORT" */
    char *to;                       /* the server, "HOST:PORT" or "unix:PATH" */
    struct config_strings gateways; /* names of those who may connect; empty: all */
    bool header_required;           /* of the gateways: a PROXY header comes first */
    struct prefixlist direct;       /* who else may connect, without a header */
    enum config_forward_as forward_as;
    unsigned proxy_version;   /* of the header that the server gets: 1 or 2 */
    struct prefixlist source; /* one address, that plain forwarding connects from; else empty */
    unsigned max_connections;
    unsigned max_per_client;
    unsigned header_timeout_sec;
    unsigned connect_timeout_sec;
    unsigned idle_timeout_sec;
};

enum config_milter_preset { MILTER_PRESET_NONE, MILTER_PRESET_VERIFY_ONLY };

struct config_milter {
    char *listen;    /* "unix:PATH", "inet:PORT@HOST" or "HOST:PORT"; NULL: off */
    char *group;     /* of a Unix socket, NULL: the process's own */
    bool firewalled; /* listen may be an address that others than this machine reach */
    unsigned max_sessions;
    unsigned idle_timeout_sec;
    unsigned max_signatures; /* verified a message; the rest is ignored */
    char *report;            /* policyd's control socket, "unix:PATH"; NULL: it is told nothing */
    char *authserv_id;       /* of Authentication-Results, lower case; hostname unless given */
    struct config_strings upstream_authserv_ids; /* whose results stay; lower case */
    struct prefixlist sign_nets;                 /* whose mail is signed without a login */
    enum config_milter_preset preset;
    bool enforce; /* the file's enforce, false with MILTER_PRESET_VERIFY_ONLY */
};

/* What becomes of a message, from the mildest on. */
enum config_action {
    CONFIG_ACTION_ACCEPT,
    CONFIG_ACTION_HEADER,     /* a field says so */
    CONFIG_ACTION_QUARANTINE, /* the same field, for Sieve to file it away */
    CONFIG_ACTION_TEMPFAIL,
    CONFIG_ACTION_REJECT,
};

enum config_spf_engine { CONFIG_SPF_RFC7208, CONFIG_SPF_LIBSPF2 };

/* By result; what is not here is accepted. */
struct config_spf {
    enum config_spf_engine engine;
    enum config_action fail;
    enum config_action softfail;
    enum config_action permerror;
    enum config_action temperror;
};

/* By the best result of a message's signatures; pass is accepted. */
struct config_dkim {
    enum config_action none;
    enum config_action fail;
    enum config_action permerror;
    enum config_action temperror;
};

/* How far the policy of the author's domain is followed. */
enum config_enforcement {
    CONFIG_ENFORCEMENT_NONE,
    CONFIG_ENFORCEMENT_QUARANTINE, /* also where it says reject */
    CONFIG_ENFORCEMENT_REJECT,
};

struct config_dmarc {
    enum config_enforcement enforcement;
    enum config_action permerror;         /* From names no author, or not for sure */
    enum config_action temperror;         /* anything but reject */
    struct config_strings exempt_domains; /* who SPF or DKIM proves to send it; lower case */
    struct prefixlist exempt_clients;
};

/* Of sign sections for one sender: a key of each kind, old and new. */
#define CONFIG_SIGNATURES_MAX 4

/* A key that signs what goes out. */
struct config_sign {
    char *from;     /* whose mail: "example.com", "*.example.com" (all below), "*"; lower case */
    char *domain;   /* d=; NULL: that of From */
    char *selector; /* s=; lower case */
    char *key;      /* the content of key_file, PEM; not checked yet */
    unsigned line;  /* of the section, to name an error in the key */
};

struct config_policyd {
    struct config_strings policy;    /* listeners */
    struct config_strings socketmap; /* listeners */
    char *control;                   /* Unix socket path with "unix:" before it; NULL: off */
    char *group;                     /* of policy's and socketmap's Unix sockets */
    char *control_group;             /* of the control socket; NULL: the process's own */
    struct config_strings ban_ports; /* that gateways forward, as numbers; empty: the usual */
    struct prefixlist from;          /* of policy's and socketmap's TCP listeners; empty: all */
    unsigned max_connections;        /* these and the rest: each listener */
    unsigned max_request;            /* bytes */
    unsigned max_memory;             /* MiB of all connections' buffers beyond STREAM_BASE each */
    unsigned idle_timeout_sec;
    unsigned request_timeout_sec;
    unsigned max_keys;               /* each jail */
    struct config_strings honeypots; /* logins and recipients that nobody has */
    unsigned max_bans_per_minute;
    bool aggregate;     /* many banned IPv6 /64s become their /56, these their /48 */
    unsigned ban_reply; /* the code that Postfix answers to who is banned: 421 or 521 */
};

#define CONFIG_SERVE_AUTH    1u
#define CONFIG_SERVE_METRICS 2u
#define CONFIG_SERVE_STATUS  4u
#define CONFIG_SERVE_BANS    8u

enum config_program { CONFIG_POLICYD, CONFIG_MILTER, CONFIG_INGRESS };

struct config_http {
    char *name;
    enum config_program program; /* that answers here */
    char *listen;                /* NULL: off */
    char *group;
    unsigned serve;         /* CONFIG_SERVE_*; auth and bans of policyd only */
    char *token;            /* the content of token_file, NULL: none asked for */
    struct prefixlist from; /* empty: anybody who can connect */
    unsigned max_connections;
    unsigned max_request; /* bytes of a body */
    unsigned max_memory;  /* MiB of all bodies and answers beyond HTTP_BASE each */
    unsigned idle_timeout_sec;
    unsigned request_timeout_sec;
};

#define CONFIG_EVENT_AUTH_FAIL     1u
#define CONFIG_EVENT_RCPT_UNKNOWN  2u
#define CONFIG_EVENT_RELAY_DENIED  4u
#define CONFIG_EVENT_RCPT_REJECTED 8u
#define CONFIG_EVENT_SPF_FAIL      16u
#define CONFIG_EVENT_DKIM_FAIL     32u
#define CONFIG_EVENT_CONNECT       64u
#define CONFIG_EVENT_DMARC_FAIL    128u
#define CONFIG_EVENT_HONEYPOT      256u
#define CONFIG_EVENT_MESSAGE       512u
#define CONFIG_EVENT_RECIPIENT     1024u
#define CONFIG_EVENT_COUNT         11 /* so many bits */

/* What a message shows: others can have a part in it. */
#define CONFIG_EVENTS_OF_MAIL                                                                      \
    (CONFIG_EVENT_RCPT_UNKNOWN | CONFIG_EVENT_RELAY_DENIED | CONFIG_EVENT_RCPT_REJECTED |          \
     CONFIG_EVENT_SPF_FAIL | CONFIG_EVENT_DKIM_FAIL | CONFIG_EVENT_DMARC_FAIL)

/* What is handed in: where somebody has logged in, it is surely his. */
#define CONFIG_EVENTS_OF_SUBMISSION (CONFIG_EVENT_MESSAGE | CONFIG_EVENT_RECIPIENT)

/* Where a ban acts. Before the servers, the ingress and the gateway's firewall do the same. */
#define CONFIG_ACTS_SMTP 1u /* Postfix's policy requests; before it CONFIG_SMTP_PORT */
#define CONFIG_ACTS_AUTH 2u /* Dovecot's questions; before it nothing */
#define CONFIG_ACTS_ALL  3u /* both; before them every port */

/* Where mail comes in, and nobody logs in. */
#define CONFIG_SMTP_PORT 25u

enum config_count_by { COUNT_BY_CLIENT, COUNT_BY_LOGIN, COUNT_BY_CLIENT_LOGIN, COUNT_BY_DOMAIN };

/* What follows when there are too many. */
enum config_jail_action { JAIL_ACTION_BAN, JAIL_ACTION_DELAY, JAIL_ACTION_LOG, JAIL_ACTION_DEFER };

/* A rule that turns events into a ban; the words are fail2ban's. */
struct config_jail {
    char *name;
    unsigned events;                     /* CONFIG_EVENT_* */
    uint8_t weights[CONFIG_EVENT_COUNT]; /* of each bit of events; 0, as where none is given: 1 */
    enum config_count_by count_by;
    bool distinct_password; /* the same wrong password again is one event */
    unsigned maxretry;
    unsigned findtime_sec;
    unsigned bantime_sec;
    unsigned bantime_factor;  /* by which each ban is longer than the one before; 0, 1: none is */
    unsigned bantime_max_sec; /* where that ends */
    unsigned bantime_jitter_sec; /* so much at most is added by chance */
    enum config_jail_action action;
    unsigned acts;      /* CONFIG_ACTS_* */
    unsigned delay_sec; /* of a login, before it is tried */
    unsigned prefix4;
    unsigned prefix6;
};

enum config_preset { PRESET_NONE, PRESET_BREVO, PRESET_MAILGUN, PRESET_MAILGUN_EU };

/* A smart host for outbound mail. */
struct config_relay {
    char *name;
    enum config_preset preset; /* where host came from when the file gave none */
    char *host;
    unsigned port;
    char *transport; /* Postfix transport that carries it, "smtp" by default */
    char *login;     /* NULL: no authentication */
    char *password;  /* the content of password_file; NULL exactly when login is */
};

/* Whose mail goes by which relays, best first. */
struct config_route {
    char *from; /* "*", "@domain", "user@domain" or "<>"; lower case */
    const struct config_relay **relays;
    size_t relay_count;
};

enum config_store_kind {
    CONFIG_STORE_FILE,
    CONFIG_STORE_REDIS,    /* one server */
    CONFIG_STORE_SENTINEL, /* the master that Sentinel names */
    CONFIG_STORE_CLUSTER,
};

/* Where bans and counters are kept. */
struct config_store {
    char *url; /* as the file has it */
    enum config_store_kind kind;
    char *path;                    /* the directory, or the Unix socket of one server; else NULL */
    struct config_strings servers; /* "HOST:PORT", "[IPV6]:PORT"; of Sentinel: the sentinels */
};

/* How the servers of a store that is Redis are talked to. */
struct config_redis {
    char *user;     /* NULL: the default user */
    char *password; /* NULL: none is asked for */
    unsigned database;
    char *prefix; /* of all keys and channels; NULL: none */
    char *master; /* as Sentinel calls it */
    char *sentinel_password;
    unsigned timeout_ms; /* for a reply */
};

struct config {
    char *path;
    char *hostname;                 /* authserv-id and SPF's receiver; lower case */
    struct config_strings domains;  /* lower case */
    struct config_strings resolver; /* "ADDRESS" or "ADDRESS@PORT"; empty: /etc/resolv.conf */
    bool dnssec;                    /* validate answers */
    unsigned dns_timeout_ms;        /* all look-ups of one message */
    struct prefixlist trusted;
    struct prefixlist ignoreip;
    bool enforce;
    char *user; /* to become after binding when started as root */
    struct config_store store;
    char *sessions; /* "unix:PATH", where the ingress tells of plain connections; NULL: off */
    unsigned drain_timeout_sec; /* of an ingress that handed over */

    struct config_gateway *gateways;
    size_t gateway_count;
    struct config_ingress *ingresses;
    size_t ingress_count;
    struct config_milter milter;
    struct config_spf spf;
    struct config_dkim dkim;
    struct config_dmarc dmarc;
    struct config_sign *signs;
    size_t sign_count;
    struct config_policyd policyd;
    struct config_redis redis;
    struct config_http *https;
    size_t http_count;
    struct config_jail *jails;
    size_t jail_count;
    struct config_relay *relays;
    size_t relay_count;
    struct config_route *routes;
    size_t route_count;
};

/* All that is wrong with a file, in the order of its lines. */
struct config_error {
    unsigned line; /* 0: the file as a whole */
    char *text;    /* what is wrong and what would be right, no line feed */
};

struct config_errors {
    struct config_error *items;
    size_t count;
};

void config_errors_fini(struct config_errors *errors);
/* "PATH:LINE: TEXT", one a line; without LINE what concerns the file as a whole. */
void config_errors_print(const struct config_errors *errors, const char *path, FILE *to);

/*
 * Read, check and complete the file: syntax, types, ranges, what belongs together,
 * and the secret files it names. Opens no socket, resolves no name. 0 and a
 * configuration that the caller frees, or -1 and every error found in one go.
 */
int config_load(const char *path, struct config **config_r, struct config_errors *errors_r)
    __attribute__((warn_unused_result));
/* Wipes secrets. */
void config_free(struct config **config);

bool config_strings_have(const struct config_strings *strings, const char *text);
/* The gateway of that name, NULL where there is none, as for NULL. */
const struct config_gateway *config_gateway(const struct config *config, const char *name);
/* Whether some ingress does so. */
bool config_forwards_as(const struct config *config, enum config_forward_as way);

/* The configuration with its defaults, in the file's syntax or as JSON, secrets as "(set)". */
void config_print(const struct config *config, FILE *to);
void config_print_json(const struct config *config, FILE *to);

#endif
