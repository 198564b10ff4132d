#!/bin/sh
# SPDX-License-Identifier: MIT
# Takes the bans at home into pf's table <postern_bans>, where they have changed. Install as
# /usr/local/libexec/postern-bans.sh, with conf/pf/bans.curl; it needs curl 7.68 or newer, and
# in /etc/crontab
#     * * * * * root /usr/local/libexec/postern-bans.sh
# In pf.conf, before what passes (conf/pf/pf.conf has both lines):
#     table <postern_bans> persist
#     block in quick on $wan proto tcp from <postern_bans> to any port $ports
# While home is away the table stays as it is. The first run after a boot fills it.
# OPNsense and pfSense need no script: an alias of type "URL Table (IPs)" takes the list,
# with the token as the password of https://any:TOKEN@... or of their own fields.
set -eu

config=${1:-/usr/local/etc/postern-bans.curl}
dir=${2:-/var/run/postern-bans}

mkdir -p "$dir"
: >"$dir/list"
: >>"$dir/etag"
code=$(curl --config "$config" --etag-compare "$dir/etag" --etag-save "$dir/etag.new" \
    --output "$dir/list" --write-out '%{http_code}')
[ "$code" = 200 ] || exit 0
pfctl -q -t postern_bans -T replace -f "$dir/list"
mv "$dir/etag.new" "$dir/etag"
