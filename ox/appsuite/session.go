package appsuite

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/retry"
)

// Credentials are an account's login. Name is handed to OX as it is; with the
// stock authentication it is "user@context", where context is the name, the
// number or another login mapping of the context. The user part is case-sensitive.
type Credentials struct {
	Name     string
	Password schoolmail.Secret
}

// refusal remembers credentials that OX refused.
type refusal struct {
	password schoolmail.Secret
	err      *Error
}

// GroupID is the number of a group within its context.
type GroupID int

// Session is a login. It is safe for concurrent use, and renews itself when OX
// has dropped it. End it with [Session.Logout]: OX allows 100 sessions per user,
// and abandoned ones count until they expire.
type Session struct {
	c    *Client
	cred Credentials

	renewing chan struct{} // token: one login at a time

	writes, reads batches

	mu     sync.Mutex
	login  login
	serial int    // counts logins
	dead   *Error // set when a renewal was refused, or after logout
	closed bool
}

// login is what one login brought.
type login struct {
	id      string
	http    *http.Client
	user    schoolmail.UserID
	context schoolmail.ContextID
	locale  string
}

var sessionID = regexp.MustCompile(`^[0-9A-Za-z._-]{8,128}$`)

// Login opens a session. Refused credentials are [ErrLogin] and are not tried a
// second time by this client: a wrong password and an unknown context look the
// same to a caller, and failures count towards a lock of the whole address.
func (c *Client) Login(ctx context.Context, cred Credentials) (*Session, error) {
	l, err := c.patientLogin(ctx, cred)
	if err != nil {
		return nil, err
	}
	s := &Session{c: c, cred: cred, login: l, renewing: make(chan struct{}, 1)}
	return s, nil
}

// patientLogin waits for a context whose schema is being updated. Others log in
// meanwhile.
func (c *Client) patientLogin(ctx context.Context, cred Credentials) (login, error) {
	var l login
	err := c.patient(ctx, cred, func() (err error) { l, err = c.login(ctx, cred); return err })
	return l, err
}

// patient repeats a call that was refused because the schema is being updated.
func (c *Client) patient(ctx context.Context, cred Credentials, call func() error) error {
	key := schemaWait(cred)
	for pause := time.Duration(0); ; {
		err := call()
		if !errors.Is(err, ErrUpdating) {
			if err == nil {
				c.waits.Free(key)
			}
			return err
		}
		if c.waits.Spent(key, c.opts.UpdateWait) {
			return err
		}
		pause = retry.Grow(pause, 2*firstBackoff, time.Minute)
		if c.waits.Pause(ctx, key, pause, c.opts.UpdateWait) != nil {
			return err
		}
	}
}

func (c *Client) login(ctx context.Context, cred Credentials) (login, error) {
	const op = "login"
	// One at a time, so that what one learns of a refusal keeps the next from
	// trying: many at once could lock out the address before any was answered.
	select {
	case c.logins <- struct{}{}:
		defer func() { <-c.logins }()
	case <-ctx.Done():
		return login{}, &Error{Op: op, Kind: ErrNotSent, Err: ctx.Err()}
	}
	c.mu.Lock()
	r, known := c.refused[cred.Name]
	failed := c.failed
	c.mu.Unlock()
	switch {
	case cred.Name == "" || cred.Password == "":
		return login{}, &Error{Op: op, Kind: ErrInvalid, Err: errors.New("name or password is empty")}
	case known && r.password == cred.Password:
		return login{}, &Error{Op: op, Kind: ErrLogin, Code: r.err.Code, Err: errors.New("not tried again after a refusal")}
	case failed >= c.opts.MaxFailedLogins:
		return login{}, &Error{Op: op, Kind: ErrLogin,
			Err: errors.New("not tried: too many logins were refused; check the credentials")}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return login{}, &Error{Op: op, Kind: ErrOther, Err: err}
	}
	hc := &http.Client{
		Transport: c.opts.HTTPClient.Transport, Timeout: c.opts.HTTPClient.Timeout, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	form := url.Values{"name": {cred.Name}, "password": {cred.Password.Reveal()}, "client": {c.opts.ClientName}}
	rq := &Request{
		Method: http.MethodPost, Module: "login", Action: "login",
		raw: []byte(form.Encode()), contentType: "application/x-www-form-urlencoded",
		ReadOnly: true, // a second login only costs a session
	}
	c.count(func(s *Stats) { s.Logins++ })
	resp, err := c.send(ctx, hc, rq, "")
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && refusesLogin(e) {
			e.Kind = ErrLogin
			c.mu.Lock()
			c.failed++
			c.refused[cred.Name] = refusal{cred.Password, e}
			c.mu.Unlock()
		}
		return login{}, err
	}
	var answer struct {
		Session string  `json:"session"`
		User    flexInt `json:"user_id"`
		Context flexInt `json:"context_id"`
		Locale  string  `json:"locale"`
	}
	if err := json.Unmarshal(resp.Body, &answer); err != nil || !sessionID.MatchString(answer.Session) {
		return login{}, &Error{Op: op, Kind: ErrProtocol, Status: resp.Status, Err: errors.New("no session in the answer")}
	}
	return login{
		id: answer.Session, http: hc, user: schoolmail.UserID(answer.User),
		context: schoolmail.ContextID(answer.Context), locale: answer.Locale,
	}, nil
}

// refusesLogin reports whether an answer to a login says no. Authentication
// plug-ins have codes of their own, so every error that OX reports counts, except
// those that say to try again.
func refusesLogin(e *Error) bool {
	if e.Code == "" {
		return false
	}
	switch e.Kind {
	case ErrUnavailable, ErrUpdating, ErrLimited, ErrSession:
		return false
	}
	return true
}

// Context is the context that the account belongs to.
func (s *Session) Context() schoolmail.ContextID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.login.context
}

// UserID is the account's own id.
func (s *Session) UserID() schoolmail.UserID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.login.user
}

// Locale is the account's language and region, e.g. "de_CH".
func (s *Session) Locale() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.login.locale
}

// Do carries out a call that has no method of its own. An answer that reports a
// failure is returned with both values set: what was received, and the error.
func (s *Session) Do(ctx context.Context, rq Request) (*Response, error) { return s.call(ctx, &rq) }

// call sends rq in the session, renews the session once if OX has dropped it, and
// waits while OX cannot use the context.
func (s *Session) call(ctx context.Context, rq *Request) (resp *Response, err error) {
	err = s.c.patient(ctx, s.cred, func() error { resp, err = s.callOnce(ctx, rq); return err })
	return resp, err
}

func (s *Session) callOnce(ctx context.Context, rq *Request) (*Response, error) {
	for attempt := 0; ; attempt++ {
		s.mu.Lock()
		l, serial, dead := s.login, s.serial, s.dead
		s.mu.Unlock()
		if dead != nil {
			e := *dead
			e.Op, e.Subject = rq.op(), rq.Subject
			return nil, &e
		}
		resp, err := s.c.send(ctx, l.http, rq, l.id)
		if err == nil || !errors.Is(err, ErrSession) {
			return resp, err
		}
		e, ok := errors.AsType[*Error](err)
		forbidden := ok && e.Status == http.StatusForbidden
		if attempt > 0 {
			if forbidden {
				e.Kind = ErrPermission // to a fresh session, too
			}
			return resp, err
		}
		if rerr := s.renew(ctx, serial); rerr != nil {
			return resp, rerr
		}
		if forbidden {
			// A page does not say why; the old session may still be there, and
			// would count against the account for an hour.
			_, _ = s.c.send(ctx, l.http, logoutRequest(), l.id)
		}
		s.c.count(func(st *Stats) { st.Retries++ })
	}
}

// renew logs in again, unless another call has done so since serial.
func (s *Session) renew(ctx context.Context, serial int) error {
	select {
	case s.renewing <- struct{}{}:
		defer func() { <-s.renewing }()
	case <-ctx.Done():
		return &Error{Op: "login", Kind: ErrNotSent, Err: ctx.Err()}
	}
	s.mu.Lock()
	done, dead := s.serial != serial, s.dead
	s.mu.Unlock()
	if done {
		return nil
	}
	if dead != nil {
		return dead
	}
	l, err := s.c.patientLogin(ctx, s.cred)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && e.Kind == ErrLogin {
			s.dead = e
		}
		return err
	}
	if l.context != s.login.context || l.user != s.login.user {
		s.dead = &Error{Op: "login", Kind: ErrProtocol, Err: errors.New("the renewed session belongs to another account")}
		return s.dead
	}
	s.login = l
	s.serial++
	return nil
}

func logoutRequest() *Request { return &Request{Module: "login", Action: "logout", Plain: true} }

// Logout ends the session. Calling it again does nothing. Pass a context that is
// still alive: [context.WithoutCancel] in a deferred call.
func (s *Session) Logout(ctx context.Context) error {
	s.mu.Lock()
	l, closed := s.login, s.closed
	s.closed = true
	s.dead = &Error{Kind: ErrSession, Err: errors.New("logged out")}
	s.mu.Unlock()
	if closed {
		return nil
	}
	_, err := s.c.send(ctx, l.http, logoutRequest(), l.id)
	if errors.Is(err, ErrSession) {
		return nil // gone already
	}
	return err
}
