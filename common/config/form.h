/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_FORM_H
#define PN_CONFIG_FORM_H

/*
 * What a single text must look like. Pure. Each returns NULL when text is right,
 * in its canonical form afterwards (lower case; never longer), or otherwise what
 * it is not: a phrase that completes `option "text" is not …`.
 */
typedef const char *(*form_fn)(char *text);

const char *form_fqdn(char *text);     /* RFC 1035 2.3.1 with "_", one dot at least */
const char *form_host(char *text);     /* the same, dots or not; no address */
const char *form_author(char *text);   /* a domain, "*." and a domain, or "*" */
const char *form_selector(char *text); /* RFC 6376 3.1: labels with dots between them */
const char *form_account(char *text);  /* a Unix user or group, a Postfix transport */
const char *form_name(char *text);     /* of a section */
const char *form_login(char *text);    /* anything without ":" */
const char *form_honeypot(char *text); /* a login or an address: no blanks */
const char *form_address(char *text);  /* an IP address */
const char *form_prefix(char *text);   /* a network or an address */
const char *form_resolver(char *text); /* ADDRESS or ADDRESS@PORT */
const char *form_listener(char *text); /* unix:PATH or ADDRESS:PORT or [ADDRESS]:PORT */
const char *form_milter(char *text);   /* the same, or inet:PORT@ADDRESS as libmilter writes it */
const char *form_unix_listener(char *text); /* unix:PATH */
const char *form_port(char *text);          /* of TCP, 1 to 65535 */
const char *form_word(char *text);          /* no blanks */
const char *form_key_prefix(char *text);    /* of keys in Redis */
const char *form_sender(char *text);        /* "*", "<>", "@domain" or an address */

#endif
