# SPDX-License-Identifier: MIT
# Mail that Postern's actions "quarantine" mark goes into Junk (postern.conf(5), spf, dkim,
# dmarc). For all users, before their own scripts, by Pigeonhole:
#
#   protocol lmtp {
#     mail_plugins = $mail_plugins sieve
#   }
#   plugin {
#     sieve_before = /etc/dovecot/sieve/quarantine.sieve
#   }
#
# and then, as root: sievec /etc/dovecot/sieve/quarantine.sieve
require ["fileinto", "mailbox"];

if header :matches "X-Postern-Action" "quarantine;*" {
    fileinto :create "Junk";
    stop;
}
