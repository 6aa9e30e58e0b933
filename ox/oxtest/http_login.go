package oxtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// simSession is a login. It holds only for the User-Agent and client name it was
// made with, and only together with its secret cookie.
type simSession struct {
	id, secret string
	client     string
	cid, uid   int
	used       time.Time
}

func sessionExpired() *httpError {
	return oxErr("SES-0203", catTryAgain, "Your session expired. Please login again.")
}

func badCredentials() *httpError {
	return oxErr("LGI-0006", catInput, "The user name or password is incorrect.")
}

// cookieHash is what cookie names end in: it depends on User-Agent and client.
func cookieHash(userAgent, client string) string {
	sum := sha256.Sum256([]byte(userAgent + "\x00" + client))
	return hex.EncodeToString(sum[:12])
}

// token makes an unpredictable-looking but repeatable id of 32 hex characters.
func (a *httpAPI) token(kind string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s-%d", kind, a.next()))
	return hex.EncodeToString(sum[:16])
}

// loginModule serves login and logout.
func (a *httpAPI) loginModule(w http.ResponseWriter, r *http.Request, rq *httpRequest) {
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
		a.write(w, rq, httpReply{raw: &rawReply{status: http.StatusOK}}, nil)
	default:
		a.write(w, rq, httpReply{}, oxErr("SVL-0001", catError, "Unknown action %q.", rq.action))
	}
}

func (a *httpAPI) login(w http.ResponseWriter, r *http.Request, rq *httpRequest) {
	if a.loginsLocked(r) {
		a.refuse(w, rq)
		return
	}
	if _, ok := rq.params["password"]; ok {
		a.write(w, rq, httpReply{}, oxErr("SVL-0030", catError, "The parameter \"password\" is not allowed in the URL."))
		return
	}
	form, err := url.ParseQuery(string(rq.body))
	if err != nil || r.Method != http.MethodPost {
		a.write(w, rq, httpReply{}, oxErr("SVL-0005", catError, "Unreadable request."))
		return
	}
	name, password, client := form.Get("name"), form.Get("password"), form.Get("client")
	unlock := a.dir.httpLock()
	sess, locale, problem := a.tryLogin(name, password, client, r.UserAgent(), rq.params["authId"])
	unlock()
	if problem != nil {
		if problem.code == "LGI-0006" {
			a.loginFailed(r)
		}
		a.write(w, rq, httpReply{}, problem)
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
	body, err := json.Marshal(map[string]any{"session": sess.id, "user": name, "user_id": sess.uid,
		"context_id": sess.cid, "locale": locale})
	if err != nil {
		panic(err)
	}
	a.write(w, rq, httpReply{raw: &rawReply{http.StatusOK, "application/json; charset=UTF-8", body}}, nil)
}

// tryLogin checks credentials and opens a session; the state is locked.
func (a *httpAPI) tryLogin(name, password, client, userAgent, authID string) (*simSession, string, *httpError) {
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
	if a.dir.httpLocked(mappingOf(name)) {
		return nil, "", underMaintenance()
	}
	cid, uid, user, ok := a.authenticate(name, password)
	if !ok {
		return nil, "", badCredentials()
	}
	ctx, _ := a.dir.httpContext(cid)
	if !ctx.enabled || !user.enabled {
		return nil, "", oxErr("AUTHORIZATION-0001", catPermission, "User is deactivated.")
	}
	ctx.pim.ensureUser(uid)
	sess := &simSession{id: a.token("session"), secret: a.token("secret"), client: client, cid: cid, uid: uid,
		used: time.Now()}
	a.mu.Lock()
	defer a.mu.Unlock()
	open := 0
	for id, s := range a.sessions {
		if time.Since(s.used) > a.opts.SessionLife {
			delete(a.sessions, id)
			continue
		}
		if s.cid == cid && s.uid == uid {
			open++
		}
	}
	if open >= a.opts.MaxSessions {
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
func underMaintenance() *httpError {
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
func (a *httpAPI) authenticate(name, password string) (cid, uid int, user httpUser, ok bool) {
	login, mapping := name, "defaultcontext"
	if i := strings.LastIndex(name, "@"); i >= 0 {
		login, mapping = name[:i], name[i+1:]
	}
	cid, ok = a.dir.httpContextByMapping(mapping)
	if !ok {
		return 0, 0, httpUser{}, false
	}
	uid, ok = a.dir.httpUserByLogin(cid, login)
	if !ok || !a.dir.httpCheckPassword(cid, uid, password) {
		return 0, 0, httpUser{}, false
	}
	user, ok = a.dir.httpUser(cid, uid)
	return cid, uid, user, ok
}

// session finds the session of a request: id, cookie and User-Agent must fit.
func (a *httpAPI) session(r *http.Request, id string) (*simSession, *httpError) {
	if id == "" {
		return nil, missingParameter("session")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sessions[id]
	if s == nil {
		return nil, sessionExpired()
	}
	if time.Since(s.used) > a.opts.SessionLife {
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

// endSessions drops all sessions of a context, or all (cid 0).
func (a *httpAPI) endSessions(cid int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, s := range a.sessions {
		if cid == 0 || s.cid == cid {
			delete(a.sessions, id)
		}
	}
}

func (a *httpAPI) openSessions() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.sessions)
}

func (a *httpAPI) loginsLocked(r *http.Request) bool {
	if a.opts.FailedLogins < 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.failures[clientKey(r)]
	if w == nil {
		return false
	}
	w.trim(time.Now(), a.opts.RateWindow)
	return len(w.at) >= a.opts.FailedLogins
}

func (a *httpAPI) loginFailed(r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := clientKey(r)
	if a.failures[key] == nil {
		a.failures[key] = &slidingWindow{}
	}
	a.failures[key].at = append(a.failures[key].at, time.Now())
}
