# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libmailauth.a
libmailauth_a_SOURCES = \
	common/mailauth/authres.c common/mailauth/authres.h \
	common/mailauth/dkim.c common/mailauth/dkim.h \
	common/mailauth/iprev.c common/mailauth/iprev.h \
	common/mailauth/result.c common/mailauth/result.h \
	common/mailauth/spf.c common/mailauth/spf.h \
	common/mailauth/spf_engines.c common/mailauth/spf_engines.h \
	common/mailauth/spf_record.c common/mailauth/spf_record.h \
	common/mailauth/spf_walk.c common/mailauth/spf_walk.h
if LIBSPF2
libmailauth_a_SOURCES += common/mailauth/spf_libspf2.c
endif
libmailauth_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS)
