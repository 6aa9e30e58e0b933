package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// session is a login. It holds only for the User-Agent and client name it was
// made with, and only together with its secret cookie.
type session struct {
	id, secret string
	client     string
	cid, uid   int
	used       time.Time
}

func sessionExpired() *failure {
	return oxErr("SES-0203", catTryAgain, "Your session expired. Please login again.")
}

func badCredentials() *failure {
	return oxErr("LGI-0006", catInput, "The user name or password is incorrect.")
}

// cookieHash is what cookie names end in: it depends on User-Agent and client.
func cookieHash(userAgent, client string) string {
	sum := sha256.Sum256([]byte(userAgent + "\x00" + client))
	return hex.EncodeToString(sum[:12])
}

// token makes an unpredictable-looking but repeatable id of 32 hex characters.
func (a *API) token(kind string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s-%d", kind, a.next()))
	return hex.EncodeToString(sum[:16])
}

// loginModule serves login and logout.
func (a *API) loginModule(w http.ResponseWriter, r *http.Request, rq *request) {
	switch rq.action {
	case "login":
		a.login(w, r, rq)
	case "logout":
		// An unknown session is no error: the answer is always empty.
		if sess, problem := a.session(r, rq.params["session"]); problem == nil {
			a.mu.Lock()
			delete(a.sessions, sess.id)
			a.mu.Unlock()
			rq.who.cid, rq.who.uid = sess.cid, sess.uid
		}
		a.write(w, rq, reply{raw: &rawReply{status: http.StatusOK}}, nil)
	default:
		a.write(w, rq, reply{}, oxErr("SVL-0001", catError, "Unknown action %q.", rq.action))
	}
}

func (a *API) login(w http.ResponseWriter, r *http.Request, rq *request) {
	if a.loginsLocked(r) {
		a.refuse(w, rq)
		return
	}
	if _, ok := rq.params["password"]; ok {
		a.write(w, rq, reply{}, oxErr("SVL-0030", catError, "The parameter \"password\" is not allowed in the URL."))
		return
	}
	form, err := url.ParseQuery(string(rq.body))
	if err != nil || r.Method != http.MethodPost {
		a.write(w, rq, reply{}, oxErr("SVL-0005", catError, "Unreadable request."))
		return
	}
	name, password, client := form.Get("name"), form.Get("password"), form.Get("client")
	unlock := a.dir.lock()
	sess, locale, problem := a.tryLogin(name, password, client, r.UserAgent(), rq.params["authId"])
	unlock()
	if problem != nil {
		if problem.code == "LGI-0006" {
			a.loginFailed(r)
		}
		a.write(w, rq, reply{}, problem)
		return
	}
	hash := cookieHash(r.UserAgent(), client)
	set := func(name, value string) {
		http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, MaxAge: 604800})
	}
	set("open-xchange-secret-"+hash, sess.secret)
	set("open-xchange-public-session-"+hash, a.token("public"))
	set("open-xchange-session-"+hash, sess.id)
	set("JSESSIONID", a.token("route")+".OX0")
	rq.who.cid, rq.who.uid = sess.cid, sess.uid
	a.write(w, rq, reply{raw: jsonReply(map[string]any{"session": sess.id, "user": name, "user_id": sess.uid,
		"context_id": sess.cid, "locale": locale})}, nil)
}

// tryLogin checks credentials and opens a session; the state is locked.
func (a *API) tryLogin(name, password, client, userAgent, authID string) (*session, string, *failure) {
	switch {
	case name == "":
		return nil, "", missingParameter("name")
	case password == "":
		return nil, "", missingParameter("password")
	case client != "" && client == userAgent:
		return nil, "", oxErr("LGI-0021", catInput, "The client identifier must not be the User-Agent.")
	}
	if authID != "" {
		a.mu.Lock()
		seen := a.authIDs[authID]
		a.authIDs[authID] = true
		a.mu.Unlock()
		if seen {
			return nil, "", oxErr("SES-0008", catError, "Authentication id was used before.")
		}
	}
	if a.dir.locked(mappingOf(name)) {
		return nil, "", underMaintenance()
	}
	cid, uid, user, ok := a.authenticate(name, password)
	if !ok {
		return nil, "", badCredentials()
	}
	ctx, _ := a.dir.context(cid)
	if !ctx.enabled || !user.enabled {
		return nil, "", oxErr("AUTHORIZATION-0001", catPermission, "User is deactivated.")
	}
	ctx.pim.EnsureUser(uid)
	sess := &session{id: a.token("session"), secret: a.token("secret"), client: client, cid: cid, uid: uid,
		used: time.Now()}
	a.mu.Lock()
	defer a.mu.Unlock()
	open := 0
	for id, s := range a.sessions {
		if time.Since(s.used) > a.Options.SessionLife {
			delete(a.sessions, id)
			continue
		}
		if s.cid == cid && s.uid == uid {
			open++
		}
	}
	if open >= a.Options.MaxSessions {
		return nil, "", oxErr("SES-0007", catInput, "Maximum number of sessions reached.")
	}
	a.sessions[sess.id] = sess
	locale := user.locale
	if locale == "" {
		locale = "de_CH"
	}
	return sess, locale, nil
}

// underMaintenance is the answer while a context's schema is being updated.
func underMaintenance() *failure {
	return oxErr("CTX-0007", catTryAgain, "The server is currently down for maintenance. Please try again later.")
}

// mappingOf is the context in a login name.
func mappingOf(name string) string {
	if i := strings.LastIndex(name, "@"); i >= 0 {
		return name[i+1:]
	}
	return "defaultcontext"
}

// authenticate checks "user@context" against the directory. The user part is
// case-sensitive; without "@" the mapping "defaultcontext" is used.
func (a *API) authenticate(name, password string) (cid, uid int, user userView, ok bool) {
	login, mapping := name, "defaultcontext"
	if i := strings.LastIndex(name, "@"); i >= 0 {
		login, mapping = name[:i], name[i+1:]
	}
	cid, ok = a.dir.contextByMapping(mapping)
	if !ok {
		return 0, 0, userView{}, false
	}
	uid, ok = a.dir.userByLogin(cid, login)
	master := a.Options.MasterPassword != "" && password == a.Options.MasterPassword
	if !ok || !master && !a.dir.checkPassword(cid, uid, password) {
		return 0, 0, userView{}, false
	}
	user, ok = a.dir.user(cid, uid)
	return cid, uid, user, ok
}

// session finds the session of a request: id, cookie and User-Agent must fit.
func (a *API) session(r *http.Request, id string) (*session, *failure) {
	if id == "" {
		return nil, missingParameter("session")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sessions[id]
	if s == nil {
		return nil, sessionExpired()
	}
	if time.Since(s.used) > a.Options.SessionLife {
		delete(a.sessions, id)
		return nil, sessionExpired()
	}
	cookie, err := r.Cookie("open-xchange-secret-" + cookieHash(r.UserAgent(), s.client))
	if err != nil || cookie.Value != s.secret {
		return nil, sessionExpired()
	}
	s.used = time.Now()
	return s, nil
}

// EndSessions drops all sessions of a context, or all (cid 0).
func (a *API) EndSessions(cid int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, s := range a.sessions {
		if cid == 0 || s.cid == cid {
			delete(a.sessions, id)
		}
	}
}

func (a *API) OpenSessions() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.sessions)
}

func (a *API) loginsLocked(r *http.Request) bool {
	if a.Options.FailedLogins < 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.failures[clientKey(r)]
	if w == nil {
		return false
	}
	w.trim(time.Now(), a.Options.RateWindow)
	return len(w.at) >= a.Options.FailedLogins
}

func (a *API) loginFailed(r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := clientKey(r)
	if a.failures[key] == nil {
		a.failures[key] = &slidingWindow{}
	}
	a.failures[key].at = append(a.failures[key].at, time.Now())
}
