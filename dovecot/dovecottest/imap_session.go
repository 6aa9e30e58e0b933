package dovecottest

import (
	"encoding/base64"
	"strings"
	"sync"
)

func (x *session) capability() (answer, error) {
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	caps := capsBefore
	if x.st != nil {
		caps = capsAfter
	}
	x.line("* CAPABILITY %s", caps)
	return ok("Capability completed."), nil
}

func (x *session) noop() (answer, error) {
	return ok("NOOP completed."), x.in.end()
}

func (x *session) logout() (answer, error) {
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	x.line("* BYE Logging out")
	x.unselect()
	x.bye = true
	return ok("Logout completed."), nil
}

func (x *session) id() (answer, error) {
	if err := x.in.skipArguments(); err != nil {
		return answer{}, err
	}
	x.line(`* ID ("name" "Dovecot")`)
	return ok("ID completed."), nil
}

func (x *session) login() (answer, error) {
	if err := x.in.space(); err != nil {
		return answer{}, err
	}
	user, err := x.in.mask() // "user*master" may come bare
	if err != nil {
		return answer{}, err
	}
	if err := x.in.space(); err != nil {
		return answer{}, err
	}
	password, err := x.in.astring()
	if err != nil {
		return answer{}, err
	}
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	return x.auth("", user, password), nil
}

// authenticate is AUTHENTICATE PLAIN, RFC 4616, with or without an initial
// response (RFC 4959).
func (x *session) authenticate() (answer, error) {
	in := x.in
	if err := in.space(); err != nil {
		return answer{}, err
	}
	mech, err := in.atom()
	if err != nil {
		return answer{}, err
	}
	if !strings.EqualFold(mech, "PLAIN") {
		return no("Unsupported authentication mechanism."), errSyntax
	}
	var b64 string
	if in.peek() == ' ' {
		if err := in.space(); err != nil {
			return answer{}, err
		}
		if b64, err = in.atom(); err != nil {
			return answer{}, err
		}
		if err := in.end(); err != nil {
			return answer{}, err
		}
	} else {
		if err := in.end(); err != nil {
			return answer{}, err
		}
		x.write([]byte("+ \r\n"))
		x.flush()
		if b64, err = in.rawLine(); err != nil {
			return answer{}, err
		}
		if b64 == "*" {
			return bad("Authentication aborted by client."), nil
		}
	}
	raw, err := base64.StdEncoding.DecodeString(b64)
	parts := strings.Split(string(raw), "\x00")
	if err != nil || len(parts) != 3 {
		return bad("Invalid base64 data in continued response"), nil
	}
	return x.auth(parts[0], parts[1], parts[2]), nil
}

// auth logs in as authcid, or as authzid with the master user's password.
func (x *session) auth(authzid, authcid, password string) answer {
	s := x.srv
	failed := no("[AUTHENTICATIONFAILED] Authentication failed.")
	name := authcid
	user, master, asMaster := strings.Cut(authcid, "*")
	if asMaster {
		name = user
	} else if authcid == s.cfg.master && s.cfg.master != "" && authzid != "" {
		name, master, asMaster = authzid, authcid, true
	}
	if asMaster && (master != s.cfg.master || password != s.cfg.masterPassword || s.cfg.master == "") {
		return failed
	}
	if !asMaster && authzid != "" && authzid != authcid {
		return failed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, found := s.lookup(name)
	switch {
	case !found && asMaster:
		return no("[AUTHORIZATIONFAILED] Authorization failed.")
	case !found || !asMaster && (password == "" || password != u.Password):
		return failed
	}
	x.user = u
	x.st = s.storeAt(u.Home)
	s.sessions[x] = true
	return ok("[CAPABILITY %s] Logged in", capsAfter)
}

func (x *session) enable() (answer, error) {
	var on []string
	for x.in.peek() == ' ' {
		x.in.space()
		ext, err := x.in.atom()
		if err != nil {
			return answer{}, err
		}
		switch ext = strings.ToUpper(ext); ext {
		case "QRESYNC":
			x.enabled["CONDSTORE"] = struct{}{}
			fallthrough
		case "CONDSTORE":
			x.enabled[ext] = struct{}{}
			on = append(on, ext)
		}
	}
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	x.line("* ENABLED%s", joined(on))
	return ok("Enabled."), nil
}

func joined(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return " " + strings.Join(words, " ")
}

func (x *session) namespace() (answer, error) {
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	x.line(`* NAMESPACE (("" %s)) NIL NIL`, quote(x.srv.cfg.separator))
	return ok("Namespace completed."), nil
}

// idle is RFC 2177. The client's DONE is awaited in this goroutine; changes are
// sent by another one meanwhile.
func (x *session) idle() (answer, error) {
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	x.write([]byte("+ idling\r\n"))
	x.flush()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if x.gone() {
				x.line("* BYE Selected mailbox was deleted, have to disconnect.")
				x.flush()
				x.conn.Close()
				return
			}
			if x.box != nil {
				x.update(true)
			}
			x.flush()
			select {
			case <-x.wake:
			case <-stop:
				return
			}
		}
	})
	line, err := x.in.rawLine()
	close(stop)
	wg.Wait()
	if err != nil {
		return answer{}, err
	}
	if !strings.EqualFold(line, "DONE") {
		return bad("Expected DONE."), nil
	}
	return ok("Idle completed."), nil
}

func (x *session) getQuotaRoot() (answer, error) {
	name, a, err := x.mailboxArgument()
	if err != nil || a.status != "" {
		return a, err
	}
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	x.line("* QUOTAROOT %s \"User quota\"", quoteMailbox(name))
	x.quotaLine()
	return ok("Getquotaroot completed."), nil
}

func (x *session) getQuota() (answer, error) {
	if err := x.in.space(); err != nil {
		return answer{}, err
	}
	root, err := x.in.astring()
	if err != nil {
		return answer{}, err
	}
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	if root != "User quota" {
		return no("Quota root doesn't exist."), nil
	}
	x.quotaLine()
	return ok("Getquota completed."), nil
}

func (x *session) quotaLine() {
	x.st.mu.Lock()
	used, _ := x.st.usage()
	x.st.mu.Unlock()
	if l := x.srv.limit(x.user); l > 0 {
		x.line("* QUOTA \"User quota\" (STORAGE %d %d)", (used+1023)/1024, (l+1023)/1024)
		return
	}
	x.line("* QUOTA \"User quota\" ()")
}
