#!/bin/sh
# SPDX-License-Identifier: MIT
# Takes the bans at home into pf's tables <postern_bans> and <postern_bans_25>, where they have
# changed. Install as /usr/local/libexec/postern-bans.sh, with conf/pf/bans.curl; it needs curl
# 7.68 or newer, and in /etc/crontab
#     * * * * * root lockf -s -t 0 /var/run/postern-bans.lock /usr/local/libexec/postern-bans.sh
# In pf.conf, before what passes (conf/pf/pf.conf has these lines):
#     table <postern_bans> persist
#     table <postern_bans_25> persist
#     block in quick on $wan proto tcp from <postern_bans> to any port $ports
#     block in quick on $wan proto tcp from <postern_bans_25> to any port 25
# While home is away the tables stay as they are. The first run after a boot fills them.
# OPNsense and pfSense need no script: conf/pf/firewalls.txt.
set -eu

config=${1:-/usr/local/etc/postern-bans.curl}
dir=${2:-/var/run/postern-bans}

# take TABLE [CURL'S OPTION...]
take() {
    table=$1 list=$dir/$1.list etag=$dir/$1.etag
    shift
    : >"$list"
    : >>"$etag"
    code=$(curl --config "$config" --etag-compare "$etag" --etag-save "$etag.new" \
        --output "$list" --write-out '%{http_code}' "$@")
    [ "$code" = 200 ] || return 0
    pfctl -q -t "$table" -T replace -f "$list"
    mv "$etag.new" "$etag"
}

mkdir -p "$dir"
take postern_bans
# Banned from mail alone, and everywhere.
take postern_bans_25 --get --data port=25
