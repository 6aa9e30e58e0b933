#!/usr/bin/env bash
# Dovecot 2.3.19.1 (Debian 12), doveadm over HTTP: a batch of which one command is
# unknown to the server is answered with status 200 and a body that is not JSON: the
# error's row is not parted from the row behind it, and what stands behind can only
# be read by cutting the body apart. Each batch of known commands, and the unknown
# command alone, are answered with valid JSON.
#
# For a client: ask for the server's list of commands first (GET /doveadm/v1), and
# refuse a batch with a command that is not on it.
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
unknown='["noSuchCommand",{},"b"]'
both=$(ask "[[\"reload\",{},\"a\"],[\"reload\",{},\"c\"]]")
alone=$(ask "[$unknown]")
mixed=$(ask "[[\"reload\",{},\"a\"],$unknown,[\"reload\",{},\"c\"]]")
printf 'known only: %s\nunknown alone: %s\nmixed: %s\n' "$both" "$alone" "$mixed"
python3 - "$both" "$alone" "$mixed" <<'P'
import json, sys
def read(answer):
    body, status = answer.rsplit("\n", 1)
    try:
        return status, json.loads(body)
    except ValueError:
        return status, None
both, alone, mixed = map(read, sys.argv[1:])
assert both[0] == alone[0] == mixed[0] == "200", "a status has changed"
assert both[1] is not None and alone[1] is not None, "what was valid JSON is none"
assert mixed[1] is None, "the mixed batch is valid JSON now"
print("as recorded: the answer to the mixed batch is no JSON")
P
