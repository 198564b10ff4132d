/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_SPF_ENGINES_H
#define PN_MAILAUTH_SPF_ENGINES_H

#include "common/mailauth/spf.h"

/* The engines of this build, the default first, ended by NULL. */
extern const struct spf_engine *const spf_engines[];

extern const struct spf_engine spf_engine_rfc7208;
extern const struct spf_engine spf_engine_libspf2; /* where the build has the library */

#endif
