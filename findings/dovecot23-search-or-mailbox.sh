#!/usr/bin/env bash
# Dovecot 2.3.19.1 (Debian 12), doveadm: OR in a search query swallows the mailbox.
# "mailbox Trash from anna OR from berta" reads like "in Trash, from anna or berta"; it is read as
# "in Trash, or from anna, or from berta", so it finds all that is in Trash, whoever sent it,
# and what anna and berta sent in every other mailbox. expunge and move refuse such a query with 64
# ("must contain MAILBOX in all search branches"); search, fetch, copy and flags take
# it: a copy takes along what was never asked for. In the IMAP SEARCH that these queries
# are modelled on, OR stands before the two keys that it joins and touches no other.
#
# For a client: put a query that comes from elsewhere in parentheses before joining
# anything to it, and refuse one whose own parentheses do not match.
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
doveadm mailbox create Trash Archive Old
save Trash anna one
save Trash carl two
save Archive berta three
save Archive carl four
found() { # found QUERY...: the subjects, sorted, on one line
	doveadm -f flow fetch hdr.subject "$@" | sed 's/^hdr.subject=//' | sort | paste -sd' '
}
bare=$(found mailbox Trash from anna OR from berta)
closed=$(found mailbox Trash '(' from anna OR from berta ')')
printf 'mailbox Trash from anna OR from berta:      %s\nmailbox Trash ( from anna OR from berta ):  %s\n' "$bare" "$closed"
[ "$bare" = 'one three two' ]
[ "$closed" = one ]
for command in expunge 'move Old'; do
	status=0
	doveadm $command mailbox Trash from anna OR from berta 2>/dev/null || status=$?
	printf '%s: exit %s\n' "$command" "$status"
	[ "$status" = 64 ]
done
doveadm copy Old mailbox Trash from anna OR from berta
copied=$(found mailbox Old)
printf 'copied to Old: %s\n' "$copied"
[ "$copied" = 'one three two' ]
echo 'as recorded: the mailbox became one of the alternatives'
