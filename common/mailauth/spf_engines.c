/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/spf_engines.h"

const struct spf_engine *const spf_engines[] = {
    &spf_engine_rfc7208,
#ifdef HAVE_LIBSPF2
    &spf_engine_libspf2,
#endif
    NULL,
};
