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
conf_dovecot24dir = $(conf_docdir)/dovecot/2.4
conf_nftablesdir = $(conf_docdir)/nftables
conf_systemddir = $(conf_docdir)/systemd
conf_haproxydir = $(conf_docdir)/haproxy
conf_pfdir = $(conf_docdir)/pf
conf_eximdir = $(conf_docdir)/exim
conf_sysctldir = $(conf_docdir)/sysctl
conf_crowdsecdir = $(conf_docdir)/crowdsec
conf_mailcowdir = $(conf_docdir)/mailcow
conf_redisdir = $(conf_docdir)/redis

dist_conf_doc_DATA = conf/README.md conf/postern.conf
dist_conf_nginx_DATA = conf/nginx/postern.conf conf/nginx/guide.conf
dist_conf_haproxy_DATA = conf/haproxy/haproxy.cfg
dist_conf_pf_DATA = conf/pf/bans.curl conf/pf/bans.sh conf/pf/pf.conf conf/pf/rc.conf \
	conf/pf/pfsense-home.txt conf/pf/firewalls.txt
dist_conf_sysctl_DATA = conf/sysctl/postern-gateway.conf
dist_conf_wireguard_DATA = \
	conf/wireguard/vps.conf conf/wireguard/home.conf conf/wireguard/home-kept.conf
dist_conf_postfix_DATA = \
	conf/postfix/main.cf conf/postfix/master.cf conf/postfix/mailserver.cf conf/postfix/ingress.cf \
	conf/postfix/plain.cf conf/postfix/gateway-mta.cf conf/postfix/vps-main.cf
dist_conf_exim_DATA = conf/exim/vps.conf
dist_conf_redis_DATA = conf/redis/redis.conf
dist_conf_crowdsec_DATA = conf/crowdsec/crowdsec-firewall-bouncer.yaml
dist_conf_mailcow_DATA = conf/mailcow/extra.cf conf/mailcow/milter_headers.conf
dist_conf_dovecot_DATA = conf/dovecot/90-postern.conf conf/dovecot/91-mailserver.conf \
	conf/dovecot/91-managesieve.conf conf/dovecot/quarantine.sieve \
	conf/dovecot/92-ingress.conf conf/dovecot/92-plain.conf
dist_conf_dovecot24_DATA = conf/dovecot/2.4/90-postern.conf conf/dovecot/2.4/91-mailserver.conf \
	conf/dovecot/2.4/91-managesieve.conf conf/dovecot/2.4/92-ingress.conf \
	conf/dovecot/2.4/92-plain.conf
dist_conf_nftables_DATA = conf/nftables/bans.curl conf/nftables/postern-bans \
	conf/nftables/gateway.nft conf/nftables/gateway-masquerade.nft conf/nftables/gateway-proxy.nft \
	conf/nftables/home.nft conf/nftables/home-kept.nft
dist_conf_systemd_DATA = conf/systemd/after-tunnel.conf conf/systemd/postern-bans.service \
	conf/systemd/postern-gateway.service
nodist_conf_systemd_DATA = conf/systemd/ingress-transparent.conf

EXTRA_DIST += \
	conf/systemd/postern-ingress.service.in conf/systemd/postern-milter.service.in \
	conf/systemd/ingress-transparent.conf.in conf/systemd/postern-policyd.service.in \
	conf/systemd/postern.sysusers conf/systemd/postern.tmpfiles
CLEANFILES += $(CONF_UNITS) conf/systemd/ingress-transparent.conf

dist_check_SCRIPTS += tests/conf/check-units tests/conf/check-gateways
TESTS += tests/conf/check-units tests/conf/check-gateways

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
