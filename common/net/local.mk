# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libnet.a
libnet_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(MHD_CFLAGS)
libnet_a_SOURCES = \
	common/net/listener.c common/net/listener.h \
	common/net/loop.c common/net/loop.h \
	common/net/stream.c common/net/stream.h
