#!/bin/sh
# Makes a Debian 13 root with Dovecot 2.4.1 in a directory of its own, beside the Dovecot 2.3
# that is installed, for the tests of package dovecot and the migration's.
#
# It needs root, which chroot does, too, and debootstrap. Run it as often as you like; it
# does nothing when the directory is complete, and prints its name either way:
#
#	export SCHOOLMAIL_DOVECOT24_ROOT="$(.ci/dovecot24.sh)"
#
# The directory is SCHOOLMAIL_DOVECOT24_ROOT if set, else /var/cache/schoolmail-dovecot24.
# internal/dovecotd looks in the same places.
set -eu

root=${SCHOOLMAIL_DOVECOT24_ROOT:-/var/cache/schoolmail-dovecot24}
if [ ! -e "$root/.complete" ]; then
	command -v debootstrap >/dev/null || {
		echo "dovecot24.sh: debootstrap is missing (Debian package debootstrap)" >&2
		exit 1
	}
	[ "$(id -u)" = 0 ] || {
		echo "dovecot24.sh: only root can make a root" >&2
		exit 1
	}
	rm -rf "$root"
	debootstrap --variant=minbase --include=dovecot-imapd,dovecot-sqlite trixie "$root" >&2
	case $(chroot "$root" dovecot --version) in
	2.4.*) ;;
	*)
		echo "dovecot24.sh: not a Dovecot 2.4" >&2
		exit 1
		;;
	esac
	rm -rf "$root/var/cache/apt/archives" "$root/var/lib/apt/lists"
	chmod 1777 "$root/tmp"
	touch "$root/.complete"
fi
echo "$root"
