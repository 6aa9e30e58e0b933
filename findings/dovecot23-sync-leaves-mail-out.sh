#!/usr/bin/env bash
# Dovecot 2.3.19.1 (Debian 12): `doveadm sync -1 -R` and `doveadm backup -R` end with exit 0 and leave a message of
# the source out when both sides have got one new message each since the last run: a mailbox whose message
# count, next UID and modification sequence are the same on both sides is taken for unchanged. With -f (all is compared)
# `sync` brings it. `backup -f` finds a message of its own under that UID, deletes the mailbox to make it anew, cannot
# for INBOX, and ends with exit 65 and an empty INBOX, at every later run, too.
#
# For a client: after anything else has been delivered, only `sync -1 -f`; never `backup` into a mailbox that receives mail.
#
# Needs: Debian 12 on amd64, root, apt. Fails if the behaviour changes.
set -euo pipefail
version='1:2.3.19.1+dfsg1-2.1+deb12u7'
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
chmod 755 .
apt-get download -q -o APT::Sandbox::User=root "dovecot-core=$version" libexttextcat-2.0-0 liblua5.3-0 libsodium23 libwrap0 >/dev/null
for deb in *.deb; do dpkg -x "$deb" unpacked; done
usr=$dir/unpacked/usr
export LD_LIBRARY_PATH=$usr/lib/dovecot:$usr/lib/x86_64-linux-gnu:$dir/unpacked/lib/x86_64-linux-gnu
export USER=somebody HOME=$dir/home
mkdir run state home mail
chown daemon home mail
cat >dovecot.conf <<C
base_dir = $dir/run
state_dir = $dir/state
libexec_dir = $usr/lib/dovecot
mail_plugin_dir = $usr/lib/dovecot/modules
log_path = $dir/log
protocols =
ssl = no
mail_uid = daemon
mail_gid = daemon
first_valid_uid = 1
first_valid_gid = 1
C
at() { # at STORE COMMAND...
	local store=$1
	shift
	"$usr/bin/doveadm" -c dovecot.conf -o "mail_location=maildir:$dir/mail/$store" "$@"
}
deliver() { printf 'Subject: %s\r\n\r\nx\r\n' "$2" | at "$1" save; } # deliver STORE SUBJECT
subjects() { at "$1" fetch hdr.subject mailbox INBOX | sed -n 's/^hdr.subject: //p' | sort | paste -sd' '; }
"$usr/sbin/dovecot" --version
for tool in 'sync -1' backup; do
	a=source-${tool%% *} b=target-${tool%% *}
	deliver "$a" base
	at "$b" $tool -R "maildir:$dir/mail/$a"
	deliver "$a" late
	deliver "$b" own
	at "$b" $tool -R "maildir:$dir/mail/$a"
	echo "$tool: $(subjects "$b")"
	[ "$(subjects "$b")" = 'base own' ]
	status=0
	at "$b" $tool -f -R "maildir:$dir/mail/$a" || status=$?
	echo "$tool -f: exit $status: $(subjects "$b")"
	case $tool in
	backup)
		[ "$status $(subjects "$b")" = '65 ' ]
		status=0
		at "$b" $tool -f -R "maildir:$dir/mail/$a" || status=$?
		[ "$status $(subjects "$b")" = '65 ' ]
		;;
	*) [ "$status $(subjects "$b")" = '0 base late own' ] ;;
	esac
done
echo 'as recorded: a sync by counts leaves the message out, a full backup empties INBOX'
