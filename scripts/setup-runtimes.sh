#!/usr/bin/env bash
# Installs the pinned runtimes (runtimes.txt) that tests, examples and benches use.
#
#   scripts/setup-runtimes.sh           Node, Bun, Deno, Express, PM2
#   scripts/setup-runtimes.sh --bench   also Debian's wrk and nginx-light
#
# Into ${TINE_RUNTIMES:-${XDG_CACHE_HOME:-$HOME/.cache}/tine/runtimes}. Runs again are quiet and
# cost nothing. Everything is made in a temporary folder beside its place and renamed when it is
# whole, so an interrupted run leaves nothing that looks like a runtime.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
list=$here/runtimes.txt
sets=base

say() { printf '%s\n' "$*" >&2; }
fail() { # message, hint
    say "error: $1"
    say "hint: $2"
    exit 1
}

for argument in "$@"; do
    case $argument in
        --bench) sets="base bench" ;;
        -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
        *) fail "unknown argument \`$argument\`" "the only option is --bench" ;;
    esac
done

if [[ -n ${TINE_RUNTIMES:-} ]]; then
    root=$TINE_RUNTIMES
elif [[ -n ${XDG_CACHE_HOME:-} ]]; then
    root=$XDG_CACHE_HOME/tine/runtimes
else
    root=${HOME:?is not set, and neither is TINE_RUNTIMES}/.cache/tine/runtimes
fi

[[ $(uname -s) == Linux ]] || fail "no runtimes are pinned for $(uname -s)" "use a Linux machine"
case $(uname -m) in
    x86_64) if grep -qw avx2 /proc/cpuinfo; then cpus="any x64 x64+avx2"; else cpus="any x64 x64-avx2"; fi ;;
    aarch64) cpus="any arm64" ;;
    *) fail "no runtimes are pinned for $(uname -m)" "add lines for it to $list" ;;
esac

has_word() { [[ " $1 " == *" $2 "* ]]; } # list, word

apt_install() { # why, packages...
    local why=$1
    shift
    [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null ||
        fail "$why, and it cannot be installed from here" "install $* and run this again"
    say "installing with apt-get: $*"
    local log
    log=$(mktemp)
    # RUNLEVEL=1: a package that brings a service (nginx) must not start it.
    if ! {
        apt-get update &&
            RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
                apt-get install -y --no-install-recommends "$@"
    } </dev/null >"$log" 2>&1 9>&-; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "apt-get could not install $*" "see its output above"
    fi
    rm -f "$log"
}

# A runtime is whole when its stamp says the pinned version: the stamp is written last, before the
# rename that puts the folder in its place.
is_whole() { # name, package, version, binary
    local stamp=$root/$1/.tine-pinned
    [[ -f $stamp && $(<"$stamp") == "$2@$3" ]] || return 1
    [[ $4 == - || -x $root/$1/bin/${4##*/} ]]
}

work=
trap '[[ -z $work ]] || rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

install_one() { # name, package, version, binary
    local name=$1 package=$2 version=$3 binary=$4 made
    say "installing $package@$version as $root/$name"
    work=$(mktemp -d "$root/.making-$name.XXXXXX")
    mkdir "$work/npm"
    echo '{"private":true}' >"$work/npm/package.json"
    if ! npm install --prefix "$work/npm" --ignore-scripts --no-audit --no-fund --no-save \
        --no-package-lock --loglevel=error "$package@$version" \
        </dev/null >"$work/log" 2>&1 9>&-; then
        tail -n 20 "$work/log" >&2
        fail "npm could not install $package@$version" \
            "is the npm registry reachable? try: npm view $package@$version"
    fi
    if [[ $name == node_modules ]]; then
        made=$work/npm/node_modules
    elif [[ $binary == - ]]; then
        made=$work/npm
    else
        made=$work/made
        local file=$work/npm/node_modules/$package/$binary reported
        [[ -f $file ]] || fail "$package@$version has no file $binary" "correct its line in $list"
        mkdir -p "$made/bin"
        mv -- "$file" "$made/bin/${binary##*/}"
        chmod 755 "$made/bin/${binary##*/}"
        reported=$("$made/bin/${binary##*/}" --version 2>&1) ||
            fail "$package@$version does not run on this machine: $reported" "is its libc too old?"
        [[ $reported == *"$version"* ]] ||
            fail "$package@$version says it is $reported" "correct its line in $list"
    fi
    echo "$package@$version" >"$made/.tine-pinned"
    sync -f "$made" 2>/dev/null || true
    # mv cannot replace a folder that is not empty: the old one steps aside first.
    [[ ! -e $root/$name ]] || mv -T -- "$root/$name" "$work/old"
    mv -T -- "$made" "$root/$name"
    rm -rf -- "$work"
    work=
}

mkdir -p "$root" || fail "cannot create $root" "set TINE_RUNTIMES to a folder of yours"
exec 9>"$root/.lock"
if command -v flock >/dev/null; then
    flock -n 9 || { say "waiting for another set-up in $root"; flock 9; }
    # Under the lock, whatever is still being made belongs to a run that was killed. Its npm may
    # still be writing there: then a later run removes it.
    rm -rf -- "$root"/.making-* 2>/dev/null || true
fi

while read -r name cpu set package version binary; do
    [[ -n $name && $name != \#* ]] || continue
    has_word "$cpus" "$cpu" && has_word "$sets" "$set" || continue
    is_whole "$name" "$package" "$version" "$binary" && continue
    command -v npm >/dev/null || apt_install "npm is missing" nodejs npm
    install_one "$name" "$package" "$version" "$binary"
done <"$list"

if has_word "$sets" bench; then
    missing=()
    command -v wrk >/dev/null || missing+=(wrk)
    # Debian keeps nginx in /usr/sbin, which is not in everybody's PATH.
    command -v nginx >/dev/null || [[ -x /usr/sbin/nginx ]] || missing+=(nginx-light)
    [[ ${#missing[@]} == 0 ]] || apt_install "the benches need ${missing[*]}" "${missing[@]}"
fi
