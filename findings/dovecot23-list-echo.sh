#!/usr/bin/env bash
# Dovecot 2.3.19.1 (Debian 12), doveadm: "mailbox list NAME" prints NAME and ends with 0
# whether that folder exists or not, with -s (subscribed folders only) too. Only a mask with
# a wildcard is compared with what is there: 'NAME*' prints nothing for a folder that
# does not exist. "mailbox status" tells them apart.
#
# For a client: a listing is no test of existence; ask for the folder's status.
#
# Needs: Debian 12 on amd64, root (Dovecot looks after another user's mail), apt. Fails if the behaviour changes.
set -euo pipefail
version='1:2.3.19.1+dfsg1-2.1+deb12u7'
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
chmod 755 .
apt-get download -q -o APT::Sandbox::User=root "dovecot-core=$version" libexttextcat-2.0-0 liblua5.3-0 libsodium23 libwrap0 >/dev/null
for deb in *.deb; do dpkg -x "$deb" root; done
usr=$dir/root/usr
export LD_LIBRARY_PATH=$usr/lib/dovecot:$usr/lib/x86_64-linux-gnu:$dir/root/lib/x86_64-linux-gnu
mkdir run state home; chown daemon home
cat >dovecot.conf <<C
base_dir = $dir/run
state_dir = $dir/state
libexec_dir = $usr/lib/dovecot
mail_plugin_dir = $usr/lib/dovecot/modules
log_path = $dir/log
protocols =
ssl = no
mail_uid = daemon
first_valid_uid = 1
first_valid_gid = 1
mail_gid = daemon
mail_location = maildir:$dir/home/Maildir
C
export USER=somebody HOME=$dir/home
doveadm() { "$usr/bin/doveadm" -c "$dir/dovecot.conf" "$@"; }
save() { printf 'From: %s@example.org\nSubject: %s\n\ntext\n' "$2" "$3" | doveadm save -m "$1"; }
"$usr/sbin/dovecot" --version
doveadm mailbox create Archive
listed=$(doveadm mailbox list Nowhere)
subscribed=$(doveadm mailbox list -s Nowhere)
masked=$(doveadm mailbox list 'Nowhere*')
real=$(doveadm mailbox list 'Archive*')
status=0
doveadm mailbox status messages Nowhere >/dev/null 2>&1 || status=$?
printf "list Nowhere:    '%s'\nlist -s Nowhere: '%s'\nlist 'Nowhere*': '%s'\nstatus Nowhere:  exit %s\n" \
	"$listed" "$subscribed" "$masked" "$status"
[ "$listed" = Nowhere ]
[ "$subscribed" = Nowhere ]
[ -z "$masked" ]
[ "$real" = Archive ]
[ "$status" != 0 ]
echo 'as recorded: a name without wildcard is echoed'
