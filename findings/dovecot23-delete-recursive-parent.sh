#!/usr/bin/env bash
# Dovecot 2.3.19.1 (Debian 12), doveadm with Maildir: "mailbox delete -r" of a folder
# that exists only as the parent of others (Projects of Projects.a) removes the others with
# their messages and then ends with 68, "Mailbox doesn't exist". A caller that takes 68
# for "there was nothing to delete" reports the opposite of what happened; one that
# repeats the command gets the same answer for ever.
#
# For a client: after 68 of a recursive delete list what is there, and say what is gone.
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
doveadm mailbox create Projects.a Projects.b
save Projects.a a one
folders() { doveadm mailbox list 'Projects*' | sort | paste -sd' '; }
before=$(folders)
status=0
said=$(doveadm mailbox delete -r Projects 2>&1) || status=$?
after=$(folders)
printf 'before: %s\nstatus %s: %s\nafter:  %s\n' "$before" "$status" "$said" "${after:-none}"
[ "$before" = 'Projects Projects.a Projects.b' ]
[ "$status" = 68 ]
[[ $said == *"Mailbox doesn't exist: Projects"* ]]
[ -z "$after" ]
again=0
doveadm mailbox delete -r Projects 2>/dev/null || again=$?
[ "$again" = 68 ]
echo 'as recorded: deleted with all its messages, and "does not exist"'
