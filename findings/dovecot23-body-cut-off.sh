#!/usr/bin/env bash
# Dovecot 2.3.19.1 (Debian 12), doveadm over HTTP: what becomes of a request whose
# body ends too early, as from a client that counted its length in characters. If it
# ends inside a string, the commands before are carried out and answered with status
# 200 and valid JSON, and nothing says that there was more; if it ends anywhere else
# the answer is 400.
#
# For a client: 200 does not mean that all was read. Count the rows of the answer
# against the commands sent, by their tags.
#
# Needs: Debian 12 on amd64, root (Dovecot's master process), apt, curl, python3. Fails if the behaviour changes.
set -euo pipefail
version='1:2.3.19.1+dfsg1-2.1+deb12u7'
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
chmod 755 .
apt-get download -q -o APT::Sandbox::User=root "dovecot-core=$version" libexttextcat-2.0-0 liblua5.3-0 libsodium23 libwrap0 >/dev/null
for deb in *.deb; do dpkg -x "$deb" root; done
usr=$dir/root/usr
export LD_LIBRARY_PATH=$usr/lib/dovecot:$usr/lib/x86_64-linux-gnu:$dir/root/lib/x86_64-linux-gnu
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir run state
cat >dovecot.conf <<C
base_dir = $dir/run
state_dir = $dir/state
libexec_dir = $usr/lib/dovecot
mail_plugin_dir = $usr/lib/dovecot/modules
import_environment = LD_LIBRARY_PATH
log_path = $dir/log
protocols =
ssl = no
default_internal_user = daemon
default_internal_group = daemon
default_login_user = nobody
doveadm_api_key = key
passdb {
  driver = static
}
userdb {
  driver = static
  args = uid=daemon gid=daemon home=$dir/home
}
service stats {
  chroot =
}
service doveadm {
  inet_listener http {
    address = 127.0.0.1
    port = $port
  }
}
C
"$usr/sbin/dovecot" -F -c dovecot.conf &
pid=$!
ask() { # ask BODY: status and body
	curl -sS -m 10 -w '\n%{http_code}' -H "Authorization: X-Dovecot-API $(printf key | base64)" \
		-H 'Content-Type: application/json' -d "$1" "http://127.0.0.1:$port/doveadm/v1"
}
for _ in $(seq 50); do ask '[["reload",{},"a"]]' >/dev/null 2>&1 && break || sleep 0.1; done
"$usr/sbin/dovecot" --version
whole=$(ask '[["reload",{},"a"],["reload",{},"b"]]')
in_name=$(ask '[["reload",{},"a"],["rel')
in_tag=$(ask '[["reload",{},"a"],["reload",{},"b')
behind_tag=$(ask '[["reload",{},"a"],["reload",{},"b"')
behind_command=$(ask '[["reload",{},"a"]')
printf '%s: %s\n' whole "$whole" 'in a name' "$in_name" 'in a tag' "$in_tag" 'behind a tag' "$behind_tag" \
	'behind a command' "$behind_command"
python3 - "$whole" "$in_name" "$in_tag" "$behind_tag" "$behind_command" <<'P'
import json, sys
whole, in_name, in_tag, behind_tag, behind_command = (a.rsplit("\n", 1) for a in sys.argv[1:])
first = [["doveadmResponse", [], "a"]]
assert whole[1] == "200" and len(json.loads(whole[0])) == 2, "the whole request"
for cut in in_name, in_tag:
    assert cut[1] == "200" and json.loads(cut[0]) == first, "cut inside a string"
assert behind_tag[1] == behind_command[1] == "400", "cut between strings"
print("as recorded: cut inside a string, the request is answered as if that were all")
P
