#!/bin/sh
# Unpacks Debian's Cyrus IMAP beside an installed Dovecot, for the migration's tests.
#
# The packages cyrus-imapd and dovecot-imapd conflict, so Cyrus is never installed: the
# .deb files are downloaded and unpacked (dpkg -x) into a directory, and internal/cyrusd
# starts the binaries from there. Run it as often as you like; it does nothing when the
# directory is complete, and prints its name either way:
#
#	export SCHOOLMAIL_CYRUS_ROOT="$(.ci/cyrus.sh)"
#
# The directory is SCHOOLMAIL_CYRUS_ROOT if set, else /var/cache/schoolmail-cyrus for root
# (Cyrus changes to an ordinary user that must be able to read it), else
# ~/.cache/schoolmail-cyrus. internal/cyrusd looks in the same places.
set -eu

if [ -n "${SCHOOLMAIL_CYRUS_ROOT:-}" ]; then
	root=$SCHOOLMAIL_CYRUS_ROOT
elif [ "$(id -u)" = 0 ]; then
	root=/var/cache/schoolmail-cyrus
else
	root=${XDG_CACHE_HOME:-$HOME/.cache}/schoolmail-cyrus
fi

if [ ! -e "$root/.complete" ]; then
	mkdir -p "$root/deb"
	chmod 755 "$root" "$root/deb"
	(
		cd "$root/deb"
		# The last five are the shared libraries that a system with Dovecot may lack.
		set -- cyrus-imapd cyrus-common libical3 libicu72 libpcre3 libxapian30 libjansson4
		apt-get -q download "$@" >&2 || { apt-get -q update >&2 && apt-get -q download "$@" >&2; }
		for deb in *.deb; do dpkg -x "$deb" ..; done
	)
	rm -rf "$root/deb"
	arch=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)
	missing=$(LD_LIBRARY_PATH="$root/usr/lib/$arch:$root/lib/$arch" \
		ldd "$root/usr/lib/cyrus/bin/imapd" "$root/usr/lib/cyrus/bin/master" | grep 'not found' | sort -u || true)
	if [ -n "$missing" ]; then
		echo "cyrus.sh: libraries still missing:" >&2
		echo "$missing" >&2
		exit 1
	fi
	touch "$root/.complete"
fi
echo "$root"
