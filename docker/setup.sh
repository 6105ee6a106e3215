#!/bin/sh
# Makes what a deployment needs before its first start: secrets, each in a file that only its reader
# may read, and the owners of the volumes. Run again it changes nothing. FILES and SECRETS are the
# volumes; HUB and GRAFANA the numbers of the users in those images.
set -eu
umask 077
FILES=${FILES:-/files} SECRETS=${SECRETS:-/secrets} HUB=${HUB:-65532} GRAFANA=${GRAFANA:-472}

make() { # name owner
    if [ ! -s "$SECRETS/$1" ]; then
        head -c 32 /dev/urandom | sha256sum | cut -c 1-64 > "$SECRETS/$1.new"
        chown "$2" "$SECRETS/$1.new"
        # Whole or not at all, if this is stopped in between.
        mv "$SECRETS/$1.new" "$SECRETS/$1"
    fi
}

make secret "$HUB"
make admin_token "$HUB"
make grafana_password "$GRAFANA"
chmod 755 "$SECRETS"
chown "$HUB:$HUB" "$FILES"
