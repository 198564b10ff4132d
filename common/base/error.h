/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_ERROR_H
#define PN_BASE_ERROR_H

#define ERROR_TEXT_MAX 512

enum error_code {
    ERROR_NONE = 0,
    ERROR_SYSTEM,  /* a system call failed; the text names it and errno */
    ERROR_CONFIG,  /* what the file asks for cannot be */
    ERROR_PEER,    /* the other end broke the protocol */
    ERROR_TIMEOUT, /* it did not answer in time */
    ERROR_CORRUPT, /* stored data is not what we wrote */
    ERROR_REFUSED, /* it answered no; the text is its reason */
};

/*
 * What went wrong in the environment: set where it happened, logged once where it
 * is handled. Lives in the caller's frame, needs no freeing.
 */
struct error {
    enum error_code code;
    char text[ERROR_TEXT_MAX];
};

/* Fill error_r (NULL: nobody wants to know). Long texts are cut. Returns -1 for `return
 * error_set(…)`. */
int error_set(struct error *error_r, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ": " and strerror(errno) behind the text. */
int error_set_errno(struct error *error_r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
