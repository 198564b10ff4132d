# SPDX-License-Identifier: MIT
# Building from a copy of the checkout, so that the checkout stays as it is.
# Sourced after setup.sh and steps.sh; $work is the folder that setup_work_folder made.

# The build that is shipped: the folder's name, and its arguments for configure.
# shellcheck disable=SC2034
build_plain="plain --enable-werror CC=gcc"

# build_copy_tree: the checkout's files, with their times, in $work/source.
build_copy_tree() {
    mkdir -p "$work/source"
    build_list_files | sort >"$work/files.new"
    [ -s "$work/files.new" ] || refuse "$top holds no files to build from."
    if [ -e "$work/files" ]; then
        (cd "$work/source" && comm -23 "$work/files" "$work/files.new" | tr '\n' '\0' |
            xargs -0 -r rm -f)
    fi
    tar -C "$top" --no-recursion -T "$work/files.new" -cf - | tar -C "$work/source" -xf -
    mv "$work/files.new" "$work/files"
}

# All but what the checkout ignores; in an unpacked tarball, all.
build_list_files() {
    {
        git -c safe.directory='*' -c core.quotePath=false -C "$top" \
            ls-files --cached --others --exclude-standard 2>/dev/null ||
            (cd "$top" && find . -path ./.git -prune -o -type f -print)
    } | while read -r file; do
        [ ! -f "$top/$file" ] || say "$file"
    done
}

# build_configure NAME ARGUMENT...: configures $work/NAME, unless that is done already.
build_configure() (
    mkdir -p "$work/$1" && cd "$work/$1" || return
    shift
    [ -x "$work/source/configure" ] || "$work/source/bootstrap" || return
    [ -e config.status ] && [ "$(cat configured-with 2>/dev/null)" = "$*" ] && return
    "$work/source/configure" "$@" && say "$*" >configured-with
)

# build_make NAME TARGET...: make in $work/NAME, as parallel as the machine is.
build_make() { make_in "$(nproc)" "$@"; }

# build_check NAME TARGET...: the same where tests are run, which wait more than they work.
build_check() { make_in "$((2 * $(nproc)))" "$@" VERBOSE=1; }

# make_in JOBS NAME TARGET...
make_in() {
    jobs=$1 folder=$work/$2
    shift 2
    limited make -C "$folder" --no-print-directory -j "$jobs" "$@"
}
