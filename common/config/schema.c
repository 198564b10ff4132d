/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/schema.h"

#include "common/base/str.h"
#include "common/config/config.h"

#define FIELD(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define LIST_MAX            1000
#define PATH_LEN_MAX        4096
#define DAY                 UINT64_C(86400)
#define RUN(name)           "unix:" PN_RUNSTATEDIR "/postern/" name

static const struct option_word gateway_types[] = {
    {"nginx", GATEWAY_NGINX},
    {"haproxy", GATEWAY_HAPROXY},
    {"nftables", GATEWAY_NFTABLES},
    {"nftables-masquerade", GATEWAY_NFTABLES_MASQUERADE},
    {"pf", GATEWAY_PF},
    {NULL, 0},
};
static const struct option_word gateway_mtas[] = {{"none", CONFIG_MTA_NONE},
                                                  {"postfix", CONFIG_MTA_POSTFIX},
                                                  {"exim", CONFIG_MTA_EXIM},
                                                  {NULL, 0}};
static const struct option_word http_services[] = {
    {"auth", CONFIG_SERVE_AUTH},
    {"bans", CONFIG_SERVE_BANS},
    {"metrics", CONFIG_SERVE_METRICS},
    {"status", CONFIG_SERVE_STATUS},
    {NULL, 0},
};
static const struct option_word http_programs[] = {
    {"policyd", CONFIG_POLICYD},
    {"milter", CONFIG_MILTER},
    {"ingress", CONFIG_INGRESS},
    {NULL, 0},
};
static const struct option_word ingress_headers[] = {
    {"required", true}, {"none", false}, {NULL, 0}};
static const struct option_word ingress_ways[] = {{"proxy", FORWARD_AS_PROXY},
                                                  {"transparent", FORWARD_AS_TRANSPARENT},
                                                  {"plain", FORWARD_AS_PLAIN},
                                                  {NULL, 0}};
static const struct option_word actions[] = {
    {"accept", CONFIG_ACTION_ACCEPT},     {"reject", CONFIG_ACTION_REJECT},
    {"tempfail", CONFIG_ACTION_TEMPFAIL}, {"quarantine", CONFIG_ACTION_QUARANTINE},
    {"header", CONFIG_ACTION_HEADER},     {NULL, 0}};
static const struct option_word actions_for_now[] = {{"accept", CONFIG_ACTION_ACCEPT},
                                                     {"tempfail", CONFIG_ACTION_TEMPFAIL},
                                                     {"quarantine", CONFIG_ACTION_QUARANTINE},
                                                     {"header", CONFIG_ACTION_HEADER},
                                                     {NULL, 0}};
static const struct option_word enforcements[] = {{"none", CONFIG_ENFORCEMENT_NONE},
                                                  {"quarantine", CONFIG_ENFORCEMENT_QUARANTINE},
                                                  {"reject", CONFIG_ENFORCEMENT_REJECT},
                                                  {NULL, 0}};
static const struct option_word milter_presets[] = {
    {"", MILTER_PRESET_NONE}, {"verify_only", MILTER_PRESET_VERIFY_ONLY}, {NULL, 0}};
static const struct option_word spf_engine_words[] = {{"rfc7208", CONFIG_SPF_RFC7208},
#ifdef HAVE_LIBSPF2
                                                      {"libspf2", CONFIG_SPF_LIBSPF2},
#else
                                                      {"libspf2", WORD_LATER},
#endif
                                                      {NULL, 0}};
static const struct option_word jail_events[] = {
    {"auth_fail", CONFIG_EVENT_AUTH_FAIL},       {"rcpt_unknown", CONFIG_EVENT_RCPT_UNKNOWN},
    {"relay_denied", CONFIG_EVENT_RELAY_DENIED}, {"rcpt_rejected", CONFIG_EVENT_RCPT_REJECTED},
    {"spf_fail", CONFIG_EVENT_SPF_FAIL},         {"dkim_fail", CONFIG_EVENT_DKIM_FAIL},
    {"dmarc_fail", CONFIG_EVENT_DMARC_FAIL},     {"connect", CONFIG_EVENT_CONNECT},
    {"honeypot", CONFIG_EVENT_HONEYPOT},         {"message", CONFIG_EVENT_MESSAGE},
    {"recipient", CONFIG_EVENT_RECIPIENT},       {NULL, 0},
};
static const struct option_word jail_keys[] = {
    {"client", COUNT_BY_CLIENT},
    {"login", COUNT_BY_LOGIN},
    {"client+login", COUNT_BY_CLIENT_LOGIN},
    {"domain", COUNT_BY_DOMAIN},
    {NULL, 0},
};
static const struct option_word ban_replies[] = {{"421", 421}, {"521", 521}, {NULL, 0}};
static const struct option_word jail_actions[] = {{"ban", JAIL_ACTION_BAN},
                                                  {"delay", JAIL_ACTION_DELAY},
                                                  {"log", JAIL_ACTION_LOG},
                                                  {"defer", JAIL_ACTION_DEFER},
                                                  {NULL, 0}};
static const struct option_word jail_acts[] = {{"", 0},
                                               {"smtp", CONFIG_ACTS_SMTP},
                                               {"auth", CONFIG_ACTS_AUTH},
                                               {"all", CONFIG_ACTS_ALL},
                                               {NULL, 0}};
static const struct option_word jail_distinct[] = {{"", false}, {"password", true}, {NULL, 0}};
static const struct option_word relay_presets[] = {
    {"", PRESET_NONE},
    {"brevo", PRESET_BREVO},
    {"mailgun", PRESET_MAILGUN},
    {"mailgun-eu", PRESET_MAILGUN_EU},
    {NULL, 0},
};

static const struct option top_options[] = {
    {"hostname", OPTION_STRING, NULL, 1, 253, .form = form_fqdn, FIELD(struct config, hostname),
     .help = "the mail server's own name: authserv-id in Authentication-Results"},
    {"domains", OPTION_STRINGS, "", 0, LIST_MAX, .form = form_fqdn, FIELD(struct config, domains),
     .help = "the domains that get their mail here"},
    {"resolver", OPTION_STRINGS, "", 0, 8, .form = form_resolver, FIELD(struct config, resolver),
     .help = "DNS resolvers to ask; empty: those of /etc/resolv.conf"},
    {"dnssec", OPTION_BOOL, "false", FIELD(struct config, dnssec),
     .help = "validate DNS answers here instead of trusting the resolver"},
    {"dns_timeout", OPTION_MILLISECONDS, "10s", 1, 25, FIELD(struct config, dns_timeout_ms),
     .help = "for all DNS look-ups of one message; then the result is temperror"},
    {"trusted", OPTION_PREFIXES, "", 0, LIST_MAX, .form = form_prefix,
     FIELD(struct config, trusted),
     .help = "the LAN and containers: their mail is local and not judged"},
    {"ignoreip", OPTION_PREFIXES, "", 0, LIST_MAX, .form = form_prefix,
     FIELD(struct config, ignoreip), .help = "clients that are never counted and never banned"},
    {"enforce", OPTION_BOOL, "true", FIELD(struct config, enforce),
     .help = "false: log \"would ban\" and \"would reject\", act on nothing"},
    {"user", OPTION_STRING, "postern", 1, 32, .form = form_account, FIELD(struct config, user),
     .help = "the user to become when started as root"},
    {"store", OPTION_STRING, "file:" PN_LOCALSTATEDIR "/lib/postern", 1, PATH_LEN_MAX,
     FIELD(struct config, store.url),
     .help = "where bans and counters are kept: a directory, or Redis, which many hosts share"},
    {"sessions", OPTION_STRING, RUN("sessions"), 0, 255, .form = form_unix_listener,
     FIELD(struct config, sessions),
     .help = "where the ingress tells who its plain connections are; empty: off"},
    {"drain_timeout", OPTION_SECONDS, "24h", 1, 30 * DAY, FIELD(struct config, drain_timeout_sec),
     .help = "for the connections of an ingress that was reloaded to end by themselves"},
    {.name = NULL},
};

static const struct option gateway_options[] = {
    {"type", OPTION_WORD, "nginx", .words = gateway_types, FIELD(struct config_gateway, type),
     .help = "what forwards the connections there"},
    {"public_addresses", OPTION_PREFIXES, NULL, 1, 64, .form = form_address,
     FIELD(struct config_gateway, public_addresses),
     .help = "its addresses on the internet, as DNS and PTR have them"},
    {"header_destinations", OPTION_PREFIXES, "", 0, 64, .form = form_address,
     FIELD(struct config_gateway, header_destinations),
     .help = "what its PROXY headers name as destination; empty: public_addresses"},
    {"tunnel_addresses", OPTION_PREFIXES, NULL, 1, 64, .form = form_address,
     FIELD(struct config_gateway, tunnel_addresses),
     .help = "its addresses as the mail server at home sees them"},
    {"daemon_names", OPTION_STRINGS, "gateway", 0, 16, .form = form_name,
     FIELD(struct config_gateway, daemon_names),
     .help = "milter_macro_daemon_name of the Postfix services that take its PROXY headers"},
    {"mta", OPTION_WORD, "none", .words = gateway_mtas, FIELD(struct config_gateway, mta),
     .help = "what takes mail there and relays it to home: its Received field names the client"},
    {"mta_name", OPTION_STRING, "", 0, 253, .form = form_host,
     FIELD(struct config_gateway, mta_name),
     .help = "by which name: Postfix's myhostname, Exim's primary_hostname"},
    {"mta_daemon_names", OPTION_STRINGS, "gateway-mta", 0, 16, .form = form_name,
     FIELD(struct config_gateway, mta_daemon_names),
     .help = "milter_macro_daemon_name of the Postfix services that take its mail"},
    {.name = NULL},
};

static const struct option ingress_options[] = {
    {"listen", OPTION_STRING, NULL, 1, 255, .form = form_listener,
     FIELD(struct config_ingress, listen), .help = "where the gateways connect to, over TCP"},
    {"to", OPTION_STRING, NULL, 1, 255, .form = form_listener, FIELD(struct config_ingress, to),
     .help = "the server that gets the connections"},
    {"gateways", OPTION_STRINGS, "", 0, 64, .form = form_name,
     FIELD(struct config_ingress, gateways),
     .help = "names of the gateway sections that may connect; empty: all of them"},
    {"header", OPTION_WORD, "required", .words = ingress_headers,
     FIELD(struct config_ingress, header_required),
     .help = "required: the gateways send a PROXY header; none: they send none"},
    {"direct", OPTION_PREFIXES, "", 0, LIST_MAX, .form = form_prefix,
     FIELD(struct config_ingress, direct),
     .help = "who else may connect, without a header: the LAN, containers"},
    {"forward_as", OPTION_WORD, "proxy", .words = ingress_ways,
     FIELD(struct config_ingress, forward_as),
     .help =
         "how the server learns who the client is: proxy (a PROXY header), transparent (it sees "
         "the client's address), plain (not at all; the milter and policyd ask the ingress)"},
    {"source", OPTION_PREFIXES, "", 0, 1, .form = form_address,
     FIELD(struct config_ingress, source),
     .help = "plain: the address of this host that the server sees, in no mynetworks of it"},
    {"proxy_version", OPTION_NUMBER, "2", 1, 2, FIELD(struct config_ingress, proxy_version),
     .help = "of the PROXY header that the server gets; 1 for servers that know no other"},
    {"max_connections", OPTION_NUMBER, "1000", 1, 100000,
     FIELD(struct config_ingress, max_connections), .help = "open at a time; more wait"},
    {"max_per_client", OPTION_NUMBER, "50", 1, 100000, FIELD(struct config_ingress, max_per_client),
     .help = "that one client may have open, an IPv6 client being its /64; more are closed"},
    {"header_timeout", OPTION_SECONDS, "5s", 3, 10,
     FIELD(struct config_ingress, header_timeout_sec),
     .help = "for the whole header to come; then the connection is closed"},
    {"connect_timeout", OPTION_SECONDS, "10s", 1, 60,
     FIELD(struct config_ingress, connect_timeout_sec), .help = "for the server to answer"},
    {"idle_timeout", OPTION_SECONDS, "1h", 2100, DAY,
     FIELD(struct config_ingress, idle_timeout_sec),
     .help = "a connection silent for so long is closed; IMAP's IDLE needs half an hour"},
    {.name = NULL},
};

static const struct option milter_options[] = {
    {"listen", OPTION_STRING, RUN("milter"), 0, 255, .form = form_milter,
     FIELD(struct config_milter, listen), .help = "where Postfix finds the milter; empty: off"},
    {"group", OPTION_STRING, "postfix", 0, 32, .form = form_account,
     FIELD(struct config_milter, group), .help = "who may connect to its Unix socket"},
    {"firewalled", OPTION_BOOL, "false", FIELD(struct config_milter, firewalled),
     .help = "a firewall admits the mail server alone: listen may be any address"},
    {"max_sessions", OPTION_NUMBER, "200", 1, 10000, FIELD(struct config_milter, max_sessions),
     .help = "SMTP sessions at a time; more are told to come back later"},
    {"idle_timeout", OPTION_SECONDS, "2h", 60, DAY, FIELD(struct config_milter, idle_timeout_sec),
     .help = "a connection of the mail server that is silent for so long is closed"},
    {"max_signatures", OPTION_NUMBER, "8", 1, 50, FIELD(struct config_milter, max_signatures),
     .help = "DKIM signatures verified in a message; the rest is ignored"},
    {"report", OPTION_STRING, RUN("control"), 0, 255, .form = form_unix_listener,
     FIELD(struct config_milter, report),
     .help = "policyd's control socket, to tell it of events; empty: off"},
    {"authserv_id", OPTION_STRING, "", 0, 253, .form = form_host,
     FIELD(struct config_milter, authserv_id),
     .help = "whose results its Authentication-Results are; empty: hostname"},
    {"upstream_authserv_ids", OPTION_STRINGS, "", 0, 64, .form = form_host,
     FIELD(struct config_milter, upstream_authserv_ids),
     .help = "whose Authentication-Results stay in mail from elsewhere; all others are removed"},
    {"sign_nets", OPTION_PREFIXES, "", 0, LIST_MAX, .form = form_prefix,
     FIELD(struct config_milter, sign_nets),
     .help = "whose mail is signed without a login: web applications on hosts of your own"},
    {"preset", OPTION_WORD, "", .words = milter_presets, FIELD(struct config_milter, preset),
     .help = "verify_only: it judges and writes what it found, and neither acts nor signs"},
    {.name = NULL},
};

static const struct option spf_options[] = {
    {"engine", OPTION_WORD, "rfc7208", .words = spf_engine_words, FIELD(struct config_spf, engine),
     .help = "what judges: rfc7208 (ours), libspf2"},
    {"fail", OPTION_WORD, "accept", .words = actions, FIELD(struct config_spf, fail),
     .help = "what becomes of mail from an address that the sender's domain forbids"},
    {"softfail", OPTION_WORD, "accept", .words = actions, FIELD(struct config_spf, softfail),
     .help = "and from one that it would rather not see"},
    {"permerror", OPTION_WORD, "accept", .words = actions, FIELD(struct config_spf, permerror),
     .help = "where the domain's record is broken"},
    {"temperror", OPTION_WORD, "accept", .words = actions_for_now,
     FIELD(struct config_spf, temperror), .help = "where DNS does not answer; never reject"},
    {.name = NULL},
};

static const struct option dkim_options[] = {
    {"none", OPTION_WORD, "accept", .words = actions, FIELD(struct config_dkim, none),
     .help = "what becomes of mail without a signature"},
    {"fail", OPTION_WORD, "accept", .words = actions, FIELD(struct config_dkim, fail),
     .help = "and of mail whose signatures are all false"},
    {"permerror", OPTION_WORD, "accept", .words = actions, FIELD(struct config_dkim, permerror),
     .help = "whose signatures or keys are broken, missing or too weak"},
    {"temperror", OPTION_WORD, "accept", .words = actions_for_now,
     FIELD(struct config_dkim, temperror), .help = "where DNS does not answer; never reject"},
    {.name = NULL},
};

static const struct option dmarc_options[] = {
    {"enforcement", OPTION_WORD, "none", .words = enforcements,
     FIELD(struct config_dmarc, enforcement),
     .help = "how far the policy of the author's domain is followed: none, quarantine, reject"},
    {"permerror", OPTION_WORD, "accept", .words = actions, FIELD(struct config_dmarc, permerror),
     .help = "what becomes of mail whose From names no author for sure; enforcement at least"},
    {"temperror", OPTION_WORD, "accept", .words = actions_for_now,
     FIELD(struct config_dmarc, temperror), .help = "where DNS does not answer; never reject"},
    {"exempt_domains", OPTION_STRINGS, "", 0, LIST_MAX, .form = form_fqdn,
     FIELD(struct config_dmarc, exempt_domains),
     .help = "mailing lists and forwarders: mail that SPF or DKIM proves to be theirs is let in"},
    {"exempt_clients", OPTION_PREFIXES, "", 0, LIST_MAX, .form = form_prefix,
     FIELD(struct config_dmarc, exempt_clients),
     .help = "clients whose mail is let in, whatever the policy says"},
    {.name = NULL},
};

static const struct option sign_options[] = {
    {"from", OPTION_STRING, NULL, 1, 255, .form = form_author, FIELD(struct config_sign, from),
     .help = "whose mail: example.com, *.example.com (the domains below it) or *"},
    {"domain", OPTION_STRING, "", 0, 253, .form = form_fqdn, FIELD(struct config_sign, domain),
     .help = "the domain that signs, which has the key in DNS; empty: that of From"},
    {"selector", OPTION_STRING, NULL, 1, 63, .form = form_selector,
     FIELD(struct config_sign, selector), .help = "the name of the key in DNS"},
    {"key_file", OPTION_KEY, NULL, 1, PATH_LEN_MAX, FIELD(struct config_sign, key),
     .help = "a file with the private key in PEM, rsa or ed25519; posternctl keygen makes one"},
    {.name = NULL},
};

static const struct option policyd_options[] = {
    {"policy", OPTION_STRINGS, RUN("policy"), 0, 16, .form = form_listener,
     FIELD(struct config_policyd, policy),
     .help = "listeners for Postfix's check_policy_service; empty: off"},
    {"socketmap", OPTION_STRINGS, RUN("socketmap"), 0, 16, .form = form_listener,
     FIELD(struct config_policyd, socketmap),
     .help = "listeners for Postfix's socketmap tables; empty: off"},
    {"control", OPTION_STRING, RUN("control"), 0, 255, .form = form_unix_listener,
     FIELD(struct config_policyd, control), .help = "the socket of posternctl; empty: off"},
    {"group", OPTION_STRING, "postfix", 0, 32, .form = form_account,
     FIELD(struct config_policyd, group),
     .help = "who may connect to the Unix sockets of policy and socketmap"},
    {"control_group", OPTION_STRING, "", 0, 32, .form = form_account,
     FIELD(struct config_policyd, control_group),
     .help = "who may command; empty: the group the daemon is started with"},
    {"ban_ports", OPTION_STRINGS, "", 0, 64, .form = form_port,
     FIELD(struct config_policyd, ban_ports),
     .help = "TCP ports that gateways forward; empty: those of conf/"},
    {"from", OPTION_PREFIXES, "", 0, LIST_MAX, .form = form_prefix,
     FIELD(struct config_policyd, from),
     .help = "who may connect to policy and socketmap over TCP; empty: whoever can"},
    {"max_connections", OPTION_NUMBER, "200", 1, 10000,
     FIELD(struct config_policyd, max_connections),
     .help = "open at a time on each listener; more wait"},
    {"max_request", OPTION_NUMBER, "16384", 2048, 16384, FIELD(struct config_policyd, max_request),
     .help = "bytes of a request; longer ones close the connection"},
    {"max_memory", OPTION_NUMBER, "16", 1, 1024, FIELD(struct config_policyd, max_memory),
     .help = "MiB that each listener's connections may fill with requests and unread answers"},
    {"idle_timeout", OPTION_SECONDS, "20m", 1, DAY, FIELD(struct config_policyd, idle_timeout_sec),
     .help = "a connection that is silent for so long is closed"},
    {"request_timeout", OPTION_SECONDS, "30s", 1, 3600,
     FIELD(struct config_policyd, request_timeout_sec),
     .help = "for a request to arrive, first byte to last, and for its answer to be read"},
    {"max_keys", OPTION_NUMBER, "200000", 1000, 10000000, FIELD(struct config_policyd, max_keys),
     .help = "whom each jail counts at once, in 100 bytes of memory each; the idlest gives way"},
    {"honeypots", OPTION_STRINGS, "", 0, LIST_MAX, .form = form_honeypot,
     FIELD(struct config_policyd, honeypots),
     .help = "logins and recipients that nobody has: who tries one is an event honeypot"},
    {"max_bans_per_minute", OPTION_NUMBER, "100", 1, 1000000,
     FIELD(struct config_policyd, max_bans_per_minute),
     .help = "when jails set more, no new ban is told to a gateway until they are fewer again"},
    {"aggregate", OPTION_BOOL, "false", FIELD(struct config_policyd, aggregate),
     .help = "16 banned IPv6 /64s of a /56 become one ban on it, as many /56s one on their /48"},
    {"ban_reply", OPTION_WORD, "421", .words = ban_replies, FIELD(struct config_policyd, ban_reply),
     .help = "what Postfix answers the banned: 421 (their mail waits) or 521 (it comes back)"},
    {.name = NULL},
};

static const struct option http_options[] = {
    {"program", OPTION_WORD, "policyd", .words = http_programs, FIELD(struct config_http, program),
     .help = "who answers here: policyd, milter or ingress"},
    {"listen", OPTION_STRING, "", 0, 255, .form = form_listener, FIELD(struct config_http, listen),
     .help = "where it listens; empty: off"},
    {"group", OPTION_STRING, "", 0, 32, .form = form_account, FIELD(struct config_http, group),
     .help = "who may connect to its Unix socket; empty: the group the daemon is started with"},
    {"serve", OPTION_WORDS, "auth", 1, 8, .words = http_services, FIELD(struct config_http, serve),
     .help = "what is answered here: auth (Dovecot's auth policy), bans, metrics, status"},
    {"token_file", OPTION_SECRET, "", 0, PATH_LEN_MAX, FIELD(struct config_http, token),
     .help = "a file with the token that every request must bear; empty: none"},
    {"from", OPTION_PREFIXES, "", 0, LIST_MAX, .form = form_prefix, FIELD(struct config_http, from),
     .help = "who may ask over TCP; empty: whoever can connect"},
    {"max_connections", OPTION_NUMBER, "200", 1, 10000, FIELD(struct config_http, max_connections),
     .help = "open at a time; more wait"},
    {"max_request", OPTION_NUMBER, "16384", 1024, 65536, FIELD(struct config_http, max_request),
     .help = "bytes of a request's body; longer ones are answered with status 413"},
    {"max_memory", OPTION_NUMBER, "16", 1, 1024, FIELD(struct config_http, max_memory),
     .help = "MiB that its connections may fill with bodies and unread answers"},
    {"idle_timeout", OPTION_SECONDS, "1m", 1, DAY, FIELD(struct config_http, idle_timeout_sec),
     .help = "a connection that is silent for so long is closed"},
    {"request_timeout", OPTION_SECONDS, "30s", 1, 3600,
     FIELD(struct config_http, request_timeout_sec),
     .help = "beyond idle_timeout: for a request to arrive and its answer to be read"},
    {.name = NULL},
};

static const struct option jail_options[] = {
    {"events", OPTION_WORDS, "auth_fail", 1, CONFIG_EVENT_COUNT, .words = jail_events,
     .weights = offsetof(struct config_jail, weights), FIELD(struct config_jail, events),
     .help = "what is counted, each as one or, \"auth_fail=3\", as more"},
    {"count_by", OPTION_WORD, "client", .words = jail_keys, FIELD(struct config_jail, count_by),
     .help = "whom it is counted against: client, login, client+login, domain (of the login)"},
    {"distinct", OPTION_WORD, "password", .words = jail_distinct,
     FIELD(struct config_jail, distinct_password),
     .help = "password: the same wrong password again counts once; empty: each counts"},
    {"maxretry", OPTION_NUMBER, "5", 1, 1000000, FIELD(struct config_jail, maxretry),
     .help = "so many events within findtime are too many"},
    {"findtime", OPTION_SECONDS, "10m", 1, 30 * DAY, FIELD(struct config_jail, findtime_sec),
     .help = "how long an event is remembered"},
    {"bantime", OPTION_SECONDS, "1h", 1, 365 * DAY, FIELD(struct config_jail, bantime_sec),
     .help = "how long a ban lasts"},
    {"bantime_factor", OPTION_NUMBER, "1", 1, 100, FIELD(struct config_jail, bantime_factor),
     .help = "by so much each ban of a client is longer than its last one"},
    {"bantime_max", OPTION_SECONDS, "30d", 1, 365 * DAY, FIELD(struct config_jail, bantime_max_sec),
     .help = "the longest ban that bantime_factor makes"},
    {"bantime_jitter", OPTION_SECONDS, "0s", 0, 30 * DAY,
     FIELD(struct config_jail, bantime_jitter_sec),
     .help = "up to so much is added to a ban by chance, so that nobody knows its end"},
    {"action", OPTION_WORD, "ban", .words = jail_actions, FIELD(struct config_jail, action),
     .help = "what follows: ban, delay (logins wait), defer (mail is answered 450), log"},
    {"acts", OPTION_WORD, "", .words = jail_acts, FIELD(struct config_jail, acts),
     .help = "where a ban acts: smtp, auth, all; empty: smtp with events of mail, else all"},
    {"delay", OPTION_SECONDS, "5s", 1, 7, FIELD(struct config_jail, delay_sec),
     .help = "with action delay: how long they wait"},
    {"prefix4", OPTION_NUMBER, "32", 8, 32, FIELD(struct config_jail, prefix4),
     .help = "IPv4 clients that share so many bits count as one"},
    {"prefix6", OPTION_NUMBER, "64", 32, 128, FIELD(struct config_jail, prefix6),
     .help = "IPv6 clients that share so many bits count as one"},
    {.name = NULL},
};

static const struct option relay_options[] = {
    {"preset", OPTION_WORD, "", .words = relay_presets, FIELD(struct config_relay, preset),
     .help = "a provider whose host is known: brevo, mailgun, mailgun-eu"},
    {"host", OPTION_STRING, "", 0, 253, .form = form_host, FIELD(struct config_relay, host),
     .help = "its name, which its certificate must bear; empty: the preset's"},
    {"port", OPTION_NUMBER, "587", 1, 65535, FIELD(struct config_relay, port),
     .help = "587 or 2525 for STARTTLS; 465 needs a transport of its own"},
    {"transport", OPTION_STRING, "smtp", 1, 32, .form = form_account,
     FIELD(struct config_relay, transport),
     .help = "the service in Postfix's master.cf that sends"},
    {"login", OPTION_STRING, "", 0, 255, .form = form_login, FIELD(struct config_relay, login),
     .help = "to log in with; empty: no authentication"},
    {"password_file", OPTION_SECRET, "", 0, PATH_LEN_MAX, FIELD(struct config_relay, password),
     .help = "a file with the password or API key of login"},
    {.name = NULL},
};

static const struct option route_options[] = {
    {"from", OPTION_STRING, "*", 1, 320, .form = form_sender, FIELD(struct config_route, from),
     .help = "whose mail: *, @domain, user@domain or <>"},
    {"relays", OPTION_RELAYS, NULL, 1, 16, .form = form_name, FIELD(struct config_route, relays),
     .help = "names of relay sections, the best first"},
    {.name = NULL},
};

static const struct option redis_options[] = {
    {"user", OPTION_STRING, "", 0, 255, .form = form_word, FIELD(struct config_redis, user),
     .help = "to log in as, with password_file; empty: the default user"},
    {"password_file", OPTION_SECRET, "", 0, PATH_LEN_MAX, FIELD(struct config_redis, password),
     .help = "a file with the password; empty: none is asked for"},
    {"database", OPTION_NUMBER, "0", 0, 65535, FIELD(struct config_redis, database),
     .help = "its number; a Cluster has 0 alone"},
    {"prefix", OPTION_STRING, "postern:", 0, 64, .form = form_key_prefix,
     FIELD(struct config_redis, prefix),
     .help = "how all keys and channels begin: what keeps them apart from those of others"},
    {"master", OPTION_STRING, "mymaster", 1, 64, .form = form_name,
     FIELD(struct config_redis, master), .help = "the name that Sentinel knows the master by"},
    {"sentinel_password_file", OPTION_SECRET, "", 0, PATH_LEN_MAX,
     FIELD(struct config_redis, sentinel_password),
     .help = "a file with the password of the sentinels; empty: none is asked for"},
    {"timeout", OPTION_MILLISECONDS, "1s", 1, 30, FIELD(struct config_redis, timeout_ms),
     .help = "a connection whose reply is later than this counts as dead"},
    {.name = NULL},
};

#define ONE(member) .offset = offsetof(struct config, member)
#define MANY(type, member, counter)                                                                \
    .multiple = true, .offset = offsetof(struct config, member),                                   \
    .count_offset = offsetof(struct config, counter), .size = sizeof(type)

const struct section schema[] = {
    {.name = "", .options = top_options, .help = "what all programs share"},
    {.name = "gateway",
     .titled = true,
     MANY(struct config_gateway, gateways, gateway_count),
     .options = gateway_options,
     .help = "a public host whose connections are other people's"},
    {.name = "ingress",
     .titled = true,
     MANY(struct config_ingress, ingresses, ingress_count),
     .options = ingress_options,
     .help = "a port at home that lets the gateways in"},
    {.name = "milter", ONE(milter), .options = milter_options, .help = "postern-milter"},
    {.name = "spf", ONE(spf), .options = spf_options, .help = "what is done by SPF's result"},
    {.name = "dkim", ONE(dkim), .options = dkim_options, .help = "what is done by DKIM's result"},
    {.name = "dmarc", ONE(dmarc), .options = dmarc_options, .help = "what is done by DMARC"},
    {.name = "sign",
     MANY(struct config_sign, signs, sign_count),
     .options = sign_options,
     .help = "a key that signs what goes out, by DKIM"},
    {.name = "policyd", ONE(policyd), .options = policyd_options, .help = "postern-policyd"},
    {.name = "redis", ONE(redis), .options = redis_options, .help = "the store, where it is Redis"},
    {.name = "http",
     .titled = true,
     MANY(struct config_http, https, http_count),
     .options = http_options,
     .help = "an HTTP listener of postern-policyd or postern-milter"},
    {.name = "jail",
     .titled = true,
     MANY(struct config_jail, jails, jail_count),
     .options = jail_options,
     .help = "a rule that turns events into a ban"},
    {.name = "relay",
     .titled = true,
     MANY(struct config_relay, relays, relay_count),
     .options = relay_options,
     .help = "a smart host for outbound mail"},
    {.name = "route",
     MANY(struct config_route, routes, route_count),
     .options = route_options,
     .help = "whose mail goes by which relays"},
    {.name = NULL},
};

const struct section *schema_section(const char *name)
{
    for (const struct section *section = schema; section->name != NULL; section++)
        if (str_eq(section->name, name))
            return section;
    return NULL;
}

const struct option *schema_option(const struct section *section, const char *name, size_t *index_r)
{
    for (size_t i = 0; section->options[i].name != NULL; i++) {
        if (str_eq(section->options[i].name, name)) {
            *index_r = i;
            return &section->options[i];
        }
    }
    return NULL;
}

bool option_is_list(const struct option *option)
{
    return option->type == OPTION_WORDS || option->type == OPTION_STRINGS ||
           option->type == OPTION_PREFIXES || option->type == OPTION_RELAYS;
}

const char *option_word(const struct option *option, unsigned value)
{
    for (const struct option_word *word = option->words; word->word != NULL; word++)
        if (word->value == value && word->value != WORD_LATER)
            return word->word;
    return NULL;
}
