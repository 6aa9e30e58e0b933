#!/usr/bin/env bash
# Dovecot 2.3.19.1 (Debian 12), doveadm: "mailbox delete INBOX" ends with 65 and "INBOX
# can't be deleted", and all messages of INBOX are gone: the refusal comes after they
# were removed. Other folders, and INBOX itself, stay.
#
# For a client: an error is no proof that nothing happened. Never send this command for
# INBOX, nor with a list of folders that may hold it.
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
save INBOX a one
save INBOX b two
save Archive b three
before=$(doveadm -f flow mailbox status messages INBOX Archive | sort | paste -sd' ')
status=0
said=$(doveadm mailbox delete INBOX 2>&1) || status=$?
after=$(doveadm -f flow mailbox status messages INBOX Archive | sort | paste -sd' ')
printf 'before: %s\nstatus %s: %s\nafter:  %s\n' "$before" "$status" "$said" "$after"
[ "$before" = 'Archive messages=1 INBOX messages=2' ]
[ "$status" = 65 ]
[[ $said == *"INBOX can't be deleted"* ]]
[ "$after" = 'Archive messages=1 INBOX messages=0' ]
echo 'as recorded: refused, and emptied'
