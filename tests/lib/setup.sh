# SPDX-License-Identifier: MIT
# What tests/check and tests/demo share: a look at the machine, and the packages.
# Sourced by POSIX sh, with $top = the checkout and $program = the command's name.
# Nothing is changed before setup_machine has listed what it will install.

say() { printf '%s\n' "$*"; }

heading() { printf '\n== %s\n' "$*"; }

# A paragraph from stdin, folded to 80 columns.
indented() { fold -s -w 76 | sed 's/^/  /; s/ *$//'; }

refuse() {
    printf '\n%s: %s\n' "$program" "$*" >&2
    exit 1
}

# --- the machine -----------------------------------------------------------

# Debian 12 or not at all: the lab's neighbours are measured there and nowhere else.
setup_require_debian() {
    # shellcheck source=/dev/null
    system=$( (. /etc/os-release && echo "$ID $VERSION_ID") 2>/dev/null) || system=
    [ "$system" = "debian 12" ] && return
    # shellcheck source=/dev/null
    system=$( (. /etc/os-release && echo "$PRETTY_NAME") 2>/dev/null) || system=$(uname -sr)
    cat <<END
This is $system.
$program installs packages and runs real servers, and needs Debian 12
(bookworm) for both. A container gives it one:

  docker run --rm -it --privileged -v '$top:/postern:ro' \\
      docker.io/library/debian:12 /postern/tests/${program##*/}

With podman it is the same line as root: sudo podman run ...
Nothing was changed here.
END
    exit 1
}

setup_require_root() {
    [ "$(id -u)" = 0 ] || refuse "run it as root: it installs packages and makes" \
        "network namespaces."
}

# Everything that no package can bring; all of it is named in one go.
setup_look_at_machine() {
    lacks=
    if [ ! -e /proc/self/ns/net ]; then
        lack "/proc is not mounted (in a chroot: mount -t proc proc /proc)"
    else
        setup_probe_namespaces
    fi
    [ -c /dev/null ] && [ -c /dev/urandom ] ||
        lack "/dev is not there (in a chroot: mount --rbind /dev DIR/dev from outside)"
    [ -d /sys/class ] || lack "/sys is not mounted (in a chroot: mount -t sysfs sysfs /sys)"
    [ -z "$lacks" ] || refuse "this machine lacks what three hosts on one machine need:$lacks"
    if ! { [ -c /dev/net/tun ] && (exec 3<>/dev/net/tun) 2>/dev/null; }; then
        say "No usable /dev/net/tun here, so the tunnel will be a plain link, not WireGuard."
        say "(This may bring it: mkdir -p /dev/net; mknod /dev/net/tun c 10 200)"
    fi
}

lack() {
    lacks="$lacks
  - $*"
}

setup_probe_namespaces() {
    if ! unshare --mount --net --pid --uts --ipc --fork --propagation unchanged true 2>/dev/null
    then
        lack "the right to make namespaces (in a container: start it with --privileged)"
        return
    fi
    [ -e /proc/net/if_inet6 ] || lack "IPv6 in the kernel"
    unshare --net perl -e "$setup_nft_probe" 2>/dev/null ||
        lack "nftables in the kernel (modprobe nf_tables on the host may bring it)"
}

# Asks the kernel for the generation of its nftables ruleset (NFT_MSG_GETGEN), because
# nft itself is not installed yet: Debian always has perl-base.
# shellcheck disable=SC2016
setup_nft_probe='
    use Socket;
    socket(my $s, 16, SOCK_RAW, 12) or exit 1;
    send($s, pack("LSSLL CCn", 20, 10 << 8 | 16, 1, 1, 0, 0, 0, 0), 0, pack("SSLL", 16, 0, 0, 0))
        or exit 1;
    vec(my $ready = "", fileno($s), 1) = 1;
    select($ready, undef, undef, 3) or exit 1;
    recv($s, my $answer, 4096, 0);
    exit(unpack("x4S", $answer) == (10 << 8 | 15) ? 0 : 1);
'

# Mail and name servers that run here, one a line; those in other network namespaces
# (containers, a lab left up) are none of ours.
setup_running_servers() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '
        BEGIN {
            split("0019 25 01D1 465 024B 587 008F 143 03E1 993 006E 110 03E3 995 0035 53", p)
            for (i = 1; i in p; i += 2) port[p[i]] = p[i + 1]
        }
        $4 == "0A" {
            split($2, a, ":")
            stub = a[1] == "3500007F" || a[1] == "3600007F"
            if (a[2] in port && !stub && !seen[a[2]]++) print "something listens on port " port[a[2]]
        }'
    here=$(readlink /proc/self/ns/net)
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/ns/net" 2>/dev/null)" = "$here" ] || continue
        read -r name 2>/dev/null <"$process/comm" || continue
        case $name in
        master)
            case $(readlink "$process/exe") in */postfix/* | */cyrus/*) ;; *) continue ;; esac ;;
        exim4 | sendmail* | smtpd | dovecot | couriertcpd | cyrmaster) ;;
        named | unbound | nsd | knotd | kresd | pdns_server | pdns_recursor | dnsmasq) ;;
        *) continue ;;
        esac
        say "$name runs (process ${process#/proc/})"
    done
}

# --- packages --------------------------------------------------------------

# setup_missing LIST...: the packages of these files that are not installed.
setup_missing() {
    sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$@" | sort -u >"$work/packages.wanted"
    # shellcheck disable=SC2016
    dpkg-query -W -f='${db:Status-Status} ${Package}\n' |
        sed -n 's/^installed //p' | sort -u | comm -23 "$work/packages.wanted" -
}

apt() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@" </dev/null; }

# setup_install YES LIST...: installs what is missing from the lists, after saying what that is.
setup_install() {
    yes=$1
    shift
    missing=$(setup_missing "$@")
    if [ -z "$missing" ]; then
        say "All packages are here already; nothing is installed."
        return
    fi
    say "Asking apt which packages are needed ..."
    apt update >"$work/apt-update.log" 2>&1 || true
    # shellcheck disable=SC2086
    apt -s --no-install-recommends install $missing >"$work/apt-plan.log" 2>&1 || {
        tail -n 15 "$work/apt-update.log" "$work/apt-plan.log"
        refuse "apt cannot install what is needed; its words stand above."
    }
    setup_show_plan
    setup_ask_for_trouble "$yes"
    # shellcheck disable=SC2086
    setup_install_quietly $missing
}

setup_show_plan() {
    new=$(awk '$1 == "Inst" { print $2 }' "$work/apt-plan.log" | sort)
    total=$(printf '%s\n' "$new" | wc -l)
    # shellcheck disable=SC2086
    size=$(apt -qq --no-install-recommends --print-uris install $missing 2>/dev/null |
        awk '$3 ~ /^[0-9]+$/ { n += $3 } END { printf "%.1f", n / 1e6 }')
    say "$total Debian packages will be installed ($size MB to fetch), none of them started:"
    printf '%s\n' "$new" | tr '\n' ' ' | indented
    say
}

# What speaks against installing here: one line a reason.
setup_objections() {
    setup_running_servers
    awk '$1 == "Remv" { print "apt would remove the package " $2 }' "$work/apt-plan.log"
}

setup_ask_for_trouble() {
    objections=$(setup_objections | sed 's/^/  - /')
    if [ -n "$objections" ] && [ "$1" != yes ]; then
        refuse "this machine has a life of its own:
$objections
A fresh machine or a container is the better place. Nothing was installed; --yes
goes on all the same (nothing that gets installed is started)."
    elif [ -n "$objections" ]; then
        say "Going on because of --yes, although:"
        say "$objections"
    elif [ "$1" != yes ] && [ -t 0 ]; then
        say "Enter goes on now, Ctrl-C stops; it goes on by itself in 5 seconds."
        timeout --foreground 5 head -n 1 >/dev/null || true
    fi
}

setup_policy=/usr/sbin/policy-rc.d

# Packages are installed under a policy that lets no service start, and what they enabled
# for the next boot is disabled again; also when this run is cut off in between.
setup_install_quietly() {
    [ -e "$work/boot.before" ] || setup_boot_links >"$work/boot.before"
    trap 'setup_after_install; exit 1' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    setup_place_policy
    # An installation that was cut off earlier is ended under the policy too.
    dpkg --configure -a >"$work/dpkg-configure.log" 2>&1 </dev/null || true
    { apt -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io install "$@" 2>&1 ||
        echo "apt-get failed"; } | tee "$work/apt-install.log" | setup_progress
    trap - EXIT INT TERM HUP
    setup_after_install
    if [ "$(tail -n 1 "$work/apt-install.log")" = "apt-get failed" ]; then
        grep '^[EW]: ' "$work/apt-install.log"
        refuse "apt-get failed; all its words are in $work/apt-install.log"
    fi
}

setup_place_policy() {
    if [ -e $setup_policy ] && ! grep -q 'put here by Postern' $setup_policy; then
        mv $setup_policy $setup_policy.before-postern
    fi
    printf '#!/bin/sh\n# put here by Postern while it installs packages\nexit 101\n' >$setup_policy
    chmod 755 $setup_policy
}

setup_after_install() {
    rm -f $setup_policy
    [ ! -e $setup_policy.before-postern ] || mv $setup_policy.before-postern $setup_policy
    setup_disable_new && rm -f "$work/boot.before"
}

setup_progress() {
    awk -v total="$total" '
        /^Get:/ && ++got % 50 == 0 { print "  fetched " got " of " total; fflush() }
        /^Fetched/ { print "  " $0; fflush() }
        /^Unpacking/ && ++unpacked % 50 == 0 { print "  unpacked " unpacked " of " total; fflush() }
        /^Setting up/ && ++done % 50 == 0 { print "  set up " done " of " total; fflush() }'
}

# What starts at boot: unit links and rc links.
setup_boot_links() {
    find /etc/systemd/system /etc/rc[2-5S].d -type l 2>/dev/null |
        grep -E '\.(wants|requires)/|/S[0-9][0-9]' | sort
}

setup_disable_new() {
    setup_boot_links | comm -13 "$work/boot.before" - >"$work/boot.new"
    while read -r link; do
        name=${link##*/}
        case $link in
        */rc?.d/*) update-rc.d "${name#S[0-9][0-9]}" disable ;;
        *)
            if command -v systemctl; then systemctl disable "$name"; else rm -f "$link"; fi ;;
        esac
    done <"$work/boot.new" >"$work/boot.log" 2>&1
    left=$(setup_boot_links | comm -12 "$work/boot.new" -)
    [ -z "$left" ] || say "These would start at the next boot; disable them: $left"
}

# --- all of it -------------------------------------------------------------

# setup_work_folder: $work, where logs and builds stay from one run to the next. Tests run
# the programs as other users too, so these must be able to reach them.
setup_work_folder() {
    umask 022
    parent=${TMPDIR:-/tmp}/postern-$(id -u)
    mkdir -p "$parent"
    [ -O "$parent" ] && [ ! -L "$parent" ] || refuse "$parent belongs to somebody else."
    work=$parent/$(printf '%s' "$top" | cksum | cut -d ' ' -f 1)
    mkdir -p "$work"
    exec 9>"$work/lock"
    flock -n 9 || refuse "another run from $top is under way."
}

# setup_aside LIST: packages that apt would not install beside the others, Exim beside
# Postfix: each unpacked into a folder of its own, where the lab finds it.
setup_aside() {
    for package in $(sed 's/#.*//' "$1"); do
        folder=/usr/local/lib/postern-lab/$package
        [ ! -d "$folder" ] || continue
        say "Unpacking $package into $folder ..."
        rm -rf "$folder.new" && mkdir -p "$folder.new" || refuse "cannot write to $folder.new"
        (cd "$folder.new" && apt -qq download "$package" && dpkg-deb -x ./*.deb .) \
            >"$work/aside-$package.log" 2>&1 ||
            refuse "$package could not be fetched; all words are in $work/aside-$package.log"
        rm -f "$folder.new"/*.deb
        mv "$folder.new" "$folder"
    done
}

# setup_machine YES LIST...: from a bare Debian 12 to one that can build and run the lab.
setup_machine() {
    setup_require_root
    setup_look_at_machine
    setup_work_folder
    setup_install "$@"
}
