#!/usr/bin/env bash
# The whole test suite on the versions after this machine's: RabbitMQ 4, PostgreSQL 17 and Python 3.13, as Debian trixie has
# them, in a folder of their own beside the system. Nothing of the system changes; what it mounts is gone when it ends.
#   deploy/next.sh [words for pytest]
# DUECYCLE_NEXT names the folder (default /var/tmp/duecycle-next, about 1.2 GB). Remove it to start over.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'next: %s\n' "$*" >&2; }
fail() {
    say "$@"
    exit 1
}

root=${DUECYCLE_NEXT:-/var/tmp/duecycle-next}
suite=trixie
packages="rabbitmq-server postgresql-17 prometheus python3 python3-venv make git procps util-linux adduser"

[ "$(id -u)" -eq 0 ] || fail "must be root: another Debian is unpacked into $root and entered with chroot"
command -v apt-get >/dev/null || fail "needs a Debian or Ubuntu machine"

# Mounts in a namespace of our own: however this ends, none of them stays behind.
if [ "${DUECYCLE_NEXT_INSIDE:-}" != yes ]; then
    DUECYCLE_NEXT_INSIDE=yes exec unshare --mount --propagation private "$0" "$@"
fi

if [ ! -e "$root/.complete" ]; then
    command -v debootstrap >/dev/null || {
        say "installing with apt-get: debootstrap"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
    }
    mirror=$(awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; i++) if ($i ~ /^http/) {print $i; exit}}' \
        /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true)
    say "unpacking Debian $suite into $root"
    rm -rf "$root"
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "${mirror:-http://deb.debian.org/debian}" >"$root.log" 2>&1 ||
        fail "debootstrap failed: see $root.log"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # a package must not start its server
    chmod 755 "$root/usr/sbin/policy-rc.d"
    new=yes
fi

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
# How this machine reaches its package index: its certificates, pip's configuration, and the folders that may name.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
for file in /etc/pip.conf "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf"; do
    [ ! -e "$file" ] || install -D -m 644 "$file" "$root/$file"
done
mkdir -p "$root/opt"
mount --bind -o ro /opt "$root/opt"

inside() { # a clean environment, but for how pip finds its packages
    local kept=()
    while IFS= read -r each; do kept+=("$each"); done < <(env | grep -E '^(PIP_|SSL_CERT_FILE=|REQUESTS_CA_BUNDLE=|https?_proxy=|no_proxy=)' || true)
    chroot "$root" /usr/bin/env -i HOME="$HOME" LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${kept[@]}" "$@"
}

if [ "${new:-}" = yes ]; then
    say "installing there: $packages"
    inside sh -c "apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages" >>"$root.log" 2>&1 ||
        fail "apt-get failed: see $root.log"
    touch "$root/.complete"
fi

here=$root/srv/duecycle
mkdir -p "$here"
find "$here" -mindepth 1 -maxdepth 1 ! -name .venv -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T - | tar -x -C "$here"
inside sh -c '/usr/lib/postgresql/17/bin/postgres --version; dpkg-query -W -f "RabbitMQ \${Version}\n" rabbitmq-server; python3 --version' >&2
inside DUECYCLE_PG_BIN=/usr/lib/postgresql/17/bin make --no-print-directory -C /srv/duecycle test ARGS="$*"
