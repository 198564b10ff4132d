# SPDX-License-Identifier: MIT
# What the neighbours read: their files go to the documentation, the units of
# systemd to where systemd looks.

sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d

CONF_UNITS = conf/systemd/postern-ingress.service conf/systemd/postern-milter.service \
	conf/systemd/postern-policyd.service

systemdsystemunit_DATA = $(CONF_UNITS)

conf_docdir = $(docdir)/conf
conf_nginxdir = $(conf_docdir)/nginx
conf_wireguarddir = $(conf_docdir)/wireguard
conf_postfixdir = $(conf_docdir)/postfix
conf_dovecotdir = $(conf_docdir)/dovecot
conf_nftablesdir = $(conf_docdir)/nftables
conf_systemddir = $(conf_docdir)/systemd

dist_conf_doc_DATA = conf/postern.conf
dist_conf_nginx_DATA = conf/nginx/postern.conf
dist_conf_wireguard_DATA = conf/wireguard/vps.conf conf/wireguard/home.conf
dist_conf_postfix_DATA = \
	conf/postfix/main.cf conf/postfix/master.cf conf/postfix/mailserver.cf conf/postfix/ingress.cf
dist_conf_dovecot_DATA = conf/dovecot/90-postern.conf conf/dovecot/91-mailserver.conf \
	conf/dovecot/92-ingress.conf
dist_conf_nftables_DATA = conf/nftables/home.nft
dist_conf_systemd_DATA = conf/systemd/after-tunnel.conf
nodist_conf_systemd_DATA = conf/systemd/ingress-transparent.conf

EXTRA_DIST += \
	conf/systemd/postern-ingress.service.in conf/systemd/postern-milter.service.in \
	conf/systemd/ingress-transparent.conf.in conf/systemd/postern-policyd.service.in \
	conf/systemd/postern.sysusers conf/systemd/postern.tmpfiles
CLEANFILES += $(CONF_UNITS) conf/systemd/ingress-transparent.conf

dist_check_SCRIPTS += tests/conf/check-units
TESTS += tests/conf/check-units

conf_fill_unit = $(AM_V_GEN)$(MKDIR_P) $(@D) && \
	$(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		-e 's|@runstatedir[@]|$(runstatedir)|g' $(srcdir)/$@.in > $@.tmp && mv $@.tmp $@

conf/systemd/postern-ingress.service: conf/systemd/postern-ingress.service.in Makefile
	$(conf_fill_unit)

conf/systemd/ingress-transparent.conf: conf/systemd/ingress-transparent.conf.in Makefile
	$(conf_fill_unit)

conf/systemd/postern-milter.service: conf/systemd/postern-milter.service.in Makefile
	$(conf_fill_unit)

conf/systemd/postern-policyd.service: conf/systemd/postern-policyd.service.in Makefile
	$(conf_fill_unit)

# systemd wants the suffix .conf; in the tree the names say what they are.
install-data-local: install-conf-systemd
uninstall-local: uninstall-conf-systemd

install-conf-systemd:
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) $(srcdir)/conf/systemd/postern.sysusers \
		'$(DESTDIR)$(sysusersdir)/postern.conf'
	$(INSTALL_DATA) $(srcdir)/conf/systemd/postern.tmpfiles \
		'$(DESTDIR)$(tmpfilesdir)/postern.conf'

uninstall-conf-systemd:
	rm -f '$(DESTDIR)$(sysusersdir)/postern.conf' '$(DESTDIR)$(tmpfilesdir)/postern.conf'

.PHONY: install-conf-systemd uninstall-conf-systemd
