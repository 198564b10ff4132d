/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_MEM_H
#define PN_BASE_MEM_H

#include <stddef.h>

/*
 * Memory that is there or the process is not: none of these returns NULL, they
 * abort when the system has no memory left. Every size that a peer chooses
 * therefore meets a named limit before it comes here.
 *
 * The caller frees with free().
 */
void *x_malloc(size_t size) __attribute__((malloc, warn_unused_result));

/* count * size bytes, zeroed; an overflow of the product is a BUG. */
void *x_calloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result));

/* Like aligned_alloc(3). */
void *x_aligned_alloc(size_t alignment, size_t size) __attribute__((malloc, warn_unused_result));

/* Like reallocarray(3). */
void *x_reallocarray(void *old, size_t count, size_t size) __attribute__((warn_unused_result));

/* A copy of text; NULL gives NULL. */
char *x_strdup(const char *text) __attribute__((warn_unused_result));

/* A C string of the first len bytes; they must hold no NUL, or the string ends there. */
char *x_strndup(const char *text, size_t len) __attribute__((malloc, warn_unused_result));

#endif
