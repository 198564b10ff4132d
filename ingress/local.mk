# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libingress.a
libingress_a_SOURCES = \
	ingress/bantable.c ingress/bantable.h \
	ingress/clients.c ingress/clients.h \
	ingress/conn.c ingress/conn.h \
	ingress/door.c ingress/door.h \
	ingress/monitor.c ingress/monitor.h \
	ingress/pipes.c ingress/pipes.h \
	ingress/pump.c ingress/pump.h \
	ingress/server.c ingress/server.h \
	ingress/stats.c ingress/stats.h \
	ingress/watch.c ingress/watch.h

ingress_libs = libingress.a $(net_libs)
sbin_PROGRAMS += postern-ingress
postern_ingress_SOURCES = ingress/main.c
postern_ingress_LDADD = $(ingress_libs)
