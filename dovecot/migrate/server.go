package migrate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// Security says how connections to a server are protected.
type Security int

const (
	// StartTLS demands STARTTLS before the login (port 143). It is the default.
	StartTLS Security = iota
	// TLS is encrypted from the first byte (port 993).
	TLS
	// Insecure is clear text, for loopback and tests.
	Insecure
)

// Server is one of the two sides.
type Server struct {
	Addr      string // host:port
	Security  Security
	TLSConfig *tls.Config // nil means verification with the system's roots

	// Admin and AdminPassword act for users who have no password of their
	// own in the account list, by SASL PLAIN with an authorization identity:
	// an account of Cyrus' proxyservers or admins, or Dovecot's master user.
	Admin         string
	AdminPassword schoolmail.Secret

	// Token is asked at each login for an OAuth token for a user who has neither
	// password nor token in the account list. Tokens expire in the course of a
	// night: it is asked again for every connection.
	Token func(ctx context.Context, user string) (schoolmail.Secret, error)

	// Connections limits the connections at a time, 0 means 8. An account of many folders
	// takes up to four of them while no other account waits for them.
	Connections int
	// Slots counts the connections instead, when several machines share a limit.
	Slots Slots
	// BytesPerSecond limits what all connections together read from the
	// server, to spare an old one. 0 means no limit.
	BytesPerSecond int64
	// Timeout ends a connection on which nothing moves, 0 means 5 minutes.
	Timeout time.Duration
	// Dial replaces the way to connect.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// ParseServer reads "imaps://admin:password@host", "imap://host:143". With
// imap, STARTTLS is demanded, unless insecure is set. User and password are the admin's.
func ParseServer(text string, insecure bool) (Server, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Server{}, fmt.Errorf("migrate: server address: %w", errors.Unwrap(err))
	}
	s := Server{Security: StartTLS}
	port := "143"
	switch u.Scheme {
	case "imaps":
		s.Security, port = TLS, "993"
	case "imap":
		if insecure {
			s.Security = Insecure
		}
	default:
		return Server{}, fmt.Errorf("migrate: server address %q: want imap:// or imaps://", u.Redacted())
	}
	if u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return Server{}, fmt.Errorf("migrate: server address %q: want a host and perhaps a port", u.Redacted())
	}
	if u.Port() != "" {
		port = u.Port()
	}
	s.Addr = net.JoinHostPort(u.Hostname(), port)
	s.Admin = u.User.Username()
	if p, ok := u.User.Password(); ok {
		s.AdminPassword = schoolmail.Secret(p)
	}
	return s, nil
}

// Login is how a user is reached on one side.
type Login struct {
	User     string
	Password schoolmail.Secret // empty: the server's admin acts for the user
	Token    schoolmail.Secret // OAuth token, used by OAUTHBEARER instead of a password
	// TokenFile holds the token and is read at each login; somebody else renews it.
	TokenFile string
}

// Account is one mailbox to migrate. Name identifies it in state, reports and
// wave files; it is usually the user name at the target.
type Account struct {
	Name   string
	Source Login
	Target Login
}

// side is a server with its limits, shared by all accounts.
type side struct {
	Server
	name    string // "source" or "target"
	slots   Slots
	limiter *rate.Limiter

	mu       sync.Mutex
	until    time.Time // nobody connects before
	why      error     // and why
	pauses   int       // in a row
	since    time.Time // when the first of them began
	refusals int       // of logins in a row
	accepted bool      // a login, ever
}

func newSide(name string, s Server) *side {
	if s.Connections <= 0 {
		s.Connections = 8
	}
	d := &side{Server: s, name: name, slots: s.Slots}
	if d.slots == nil {
		d.slots = ownSlots(make(chan struct{}, s.Connections))
	}
	if s.BytesPerSecond > 0 {
		d.limiter = rate.NewLimiter(rate.Limit(s.BytesPerSecond), int(max(64<<10, min(s.BytesPerSecond, 1<<24))))
	}
	return d
}

// Slots limits the connections to a server at a time.
type Slots interface {
	// Acquire waits for a free one. release may be called once.
	Acquire(ctx context.Context) (release func(), err error)
	// TryAcquire is Acquire that does not wait.
	TryAcquire() (release func(), ok bool)
}

// ownSlots are those of one process.
type ownSlots chan struct{}

func (s ownSlots) Acquire(ctx context.Context) (release func(), err error) {
	select {
	case s <- struct{}{}:
		return func() { <-s }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s ownSlots) TryAcquire() (release func(), ok bool) {
	select {
	case s <- struct{}{}:
		return func() { <-s }, true
	default:
		return nil, false
	}
}

// acquire waits for a free connection of both sides, always in the same order,
// so that accounts cannot wait for each other for ever.
func acquire(ctx context.Context, sides ...*side) (release []func(), err error) {
	for _, d := range sides {
		if err := d.ready(ctx); err != nil {
			return nil, errors.Join(err, releaseAll(release))
		}
		free, err := d.slots.Acquire(ctx)
		if err != nil {
			return nil, errors.Join(err, releaseAll(release))
		}
		release = append(release, sync.OnceFunc(free))
	}
	return release, nil
}

// tryAcquire is acquire that does not wait.
func tryAcquire(sides ...*side) (release []func(), ok bool) {
	for _, d := range sides {
		free, ok := d.slots.TryAcquire()
		if !ok {
			releaseAll(release)
			return nil, false
		}
		release = append(release, sync.OnceFunc(free))
	}
	return release, true
}

func releaseAll(release []func()) error {
	for _, r := range release {
		r()
	}
	return nil
}

// pause keeps everybody away from the server: as long as it asks for, else
// longer and longer, up to five minutes.
func (d *side) pause(asked time.Duration, why error) (until time.Time) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.until.After(now) { // another account has met the same
		return d.until
	}
	if d.pauses == 0 {
		d.since = now
	}
	pause := asked
	if pause <= 0 {
		pause = min(500*time.Millisecond<<min(d.pauses, 12), 5*time.Minute)
	}
	d.pauses++
	d.until, d.why = now.Add(pause), why
	return d.until
}

// away is how long the server has not been of use, 0 if it is.
func (d *side) away() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pauses == 0 {
		return 0
	}
	return time.Since(d.since)
}

// ready waits until the server may be used again.
func (d *side) ready(ctx context.Context) error {
	for {
		d.mu.Lock()
		pause := time.Until(d.until)
		d.mu.Unlock()
		if pause <= 0 {
			return ctx.Err()
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// refused counts a refused login. A server that has accepted some before gets
// more patience: at the beginning it is the admin's password, later perhaps a few users.
func (d *side) refused() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refusals++
	if d.accepted {
		return max(1, d.refusals-moreWhenAccepted)
	}
	return d.refusals
}

// moreWhenAccepted is how many more refusals in a row a server gets that has accepted a login.
const moreWhenAccepted = 17

func (d *side) works() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pauses, d.refusals, d.accepted, d.until = 0, 0, true, time.Time{}
}

// dialed connects.
func (d *side) dialed(ctx context.Context) (*imapwire.Client, error) {
	opt := &imapwire.Options{TLSConfig: d.TLSConfig, Timeout: d.Timeout, Dial: d.dial}
	switch d.Security {
	case TLS:
		opt.TLS = imapwire.ImplicitTLS
	case Insecure:
		opt.TLS = imapwire.NoTLS
	}
	return imapwire.Dial(ctx, d.Addr, opt)
}

// login connects and logs in; the caller has acquired the connection.
func (d *side) login(ctx context.Context, l Login) (*imapwire.Client, error) {
	c, err := d.dialed(ctx)
	if err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		return nil, at(place{side: d.name, op: opConnect}, fmt.Errorf("%s: %w", d.Addr, err))
	}
	err = d.authenticate(ctx, c, l)
	if err == nil {
		d.works()
		return c, nil
	}
	c.Close()
	out := &failure{at: place{side: d.name, op: opLogin}, err: fmt.Errorf("%s: %w", d.Addr, err)}
	if _, ok := errors.AsType[*imapwire.Error](err); ok {
		if _, later := throttle(err); !later {
			out.err, out.times = fmt.Errorf("%s: %w: %w", d.Addr, ErrLogin, err), d.refused()
		}
	}
	return nil, out
}

func (d *side) authenticate(ctx context.Context, c *imapwire.Client, l Login) error {
	token := l.Token
	switch {
	case l.TokenFile != "":
		b, err := os.ReadFile(l.TokenFile)
		if err != nil {
			return fmt.Errorf("%w: token: %w", ErrLogin, err)
		}
		token = schoolmail.Secret(strings.TrimSpace(string(b)))
	case token == "" && l.Password == "" && d.Token != nil:
		var err error
		if token, err = d.Token(ctx, l.User); err != nil {
			return fmt.Errorf("%w: token: %w", ErrLogin, err)
		}
	}
	switch {
	case token != "":
		return c.AuthBearer(ctx, l.User, token.Reveal())
	case l.Password != "" && c.Has("AUTH=PLAIN"):
		return c.AuthPlain(ctx, "", l.User, l.Password.Reveal())
	case l.Password != "":
		return c.Login(ctx, l.User, l.Password.Reveal())
	case d.Admin != "":
		return c.AuthPlain(ctx, l.User, d.Admin, d.AdminPassword.Reveal())
	}
	return fmt.Errorf("%w: neither a password nor an admin to log in with", ErrLogin)
}

func (d *side) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := d.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 30 * time.Second}).DialContext
	}
	c, err := dial(ctx, network, addr)
	if err != nil || d.limiter == nil {
		return c, err
	}
	alive, stop := context.WithCancel(context.WithoutCancel(ctx)) // the connection outlives the dialling
	return &slowConn{Conn: c, alive: alive, stop: stop, limiter: d.limiter}, nil
}

// slowConn waits after each read until the rate allows what has been read.
type slowConn struct {
	net.Conn
	alive   context.Context
	stop    func()
	limiter *rate.Limiter
}

func (s *slowConn) Close() error {
	s.stop()
	return s.Conn.Close()
}

func (s *slowConn) Read(b []byte) (int, error) {
	if len(b) > s.limiter.Burst() {
		b = b[:s.limiter.Burst()]
	}
	n, err := s.Conn.Read(b)
	if n > 0 {
		if e := s.limiter.WaitN(s.alive, n); e != nil && err == nil {
			err = e
		}
	}
	return n, err
}

// SyscallConn lets the wire reach the socket's options.
func (s *slowConn) SyscallConn() (syscall.RawConn, error) {
	if c, ok := s.Conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
