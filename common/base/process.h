/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_PROCESS_H
#define PN_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/error.h"

/*
 * Become `user` with its groups when the process is root, for good: gid, groups,
 * uid, no_new_privs. Does nothing but no_new_privs for a process that is not root.
 * 0, or -1 when the user does not exist, is root itself, or a step fails.
 *
 * PROCESS_KEEP_NET_ADMIN: root's CAP_NET_ADMIN stays, also for what the process executes.
 */
enum process_keep { PROCESS_KEEP_NOTHING, PROCESS_KEEP_NET_ADMIN };
int process_drop_root(const char *user, enum process_keep keep, struct error *error_r)
    __attribute__((warn_unused_result));

/* The number of a group: 0, or -1 when there is none of that name, or nobody to ask. */
int process_find_group(const char *name, gid_t *gid_r, struct error *error_r)
    __attribute__((warn_unused_result));

/*
 * Go to the background: fork, new session, / as directory, /dev/null as stdin, stdout,
 * stderr. Before any thread and any loop is made. Returns in the child.
 */
int process_detach(struct error *error_r) __attribute__((warn_unused_result));

/* The name of that user's own group; the caller frees. NULL when there is none. */
char *process_group_of(const char *user) __attribute__((warn_unused_result));

/* No core dumps and no ptrace by others: secrets are in memory. */
void process_guard_secrets(void);

/*
 * So many descriptors are wanted: raise the soft limit, as far as the hard one lets it.
 * With less than that, a line in the log says it, and its effect.
 */
void process_raise_descriptors(uint64_t wanted, const char *effect);

/* Tell a service manager that waits (sd_notify) that the service is ready, lives on, or stops. */
void process_notify_ready(void);
void process_notify_alive(void);
void process_notify_stopping(void);

/* How often it is to be told that the service lives on: twice as often as it wants. 0: never. */
int64_t process_notify_alive_ms(void);

/* The same as ready, in the place of the process that was looked after so far. */
void process_notify_taken_over(void);

/*
 * How many sockets a service manager, or the process before this one, has
 * passed on to this process (sd_listen_fds(3)), close-on-exec; the first is
 * PROCESS_INHERITED_FIRST. None after process_detach().
 */
#define PROCESS_INHERITED_FIRST 3
int process_inherited_count(void);
/* How many of them, the first, come from a service manager: the files of these are its own. */
int process_managed_count(void);

/* Whether another process of this program has started this one in its own place. */
bool process_has_predecessor(void);

/*
 * Where the process before this one listens, and behind it those before that one, close-on-exec
 * and non-blocking: how many there are, max at most. 0: this is the first process.
 */
size_t process_predecessor_channels(int *fds_r, size_t max);

#endif
