package migrate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
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

	// Connections limits the connections at a time, 0 means 8.
	Connections int
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
}

// Account is one mailbox to migrate. Name identifies it in state, reports and
// wave files; it is usually the user name at the target.
type Account struct {
	Name   string
	Source Login
	Target Login
}

// side is a server with its limits.
type side struct {
	Server
	name    string // "source" or "target"
	slots   chan struct{}
	limiter *rate.Limiter
}

func newSide(name string, s Server) *side {
	if s.Connections <= 0 {
		s.Connections = 8
	}
	d := &side{Server: s, name: name, slots: make(chan struct{}, s.Connections)}
	if s.BytesPerSecond > 0 {
		d.limiter = rate.NewLimiter(rate.Limit(s.BytesPerSecond), int(max(64<<10, min(s.BytesPerSecond, 1<<24))))
	}
	return d
}

// acquire waits for a free connection of both sides, always in the same order,
// so that accounts cannot wait for each other for ever.
func acquire(ctx context.Context, sides ...*side) (release []func(), err error) {
	for _, d := range sides {
		select {
		case d.slots <- struct{}{}:
			release = append(release, sync.OnceFunc(func() { <-d.slots }))
		case <-ctx.Done():
			for _, r := range release {
				r()
			}
			return nil, ctx.Err()
		}
	}
	return release, nil
}

// connect logs in; the caller has acquired the connection.
func (d *side) connect(ctx context.Context, l Login) (c *imapwire.Client, err error) {
	defer func() {
		if err != nil {
			if c != nil {
				c.Close()
			}
			c, err = nil, fmt.Errorf("%s %s: %w", d.name, d.Addr, err)
		}
	}()
	opt := &imapwire.Options{TLSConfig: d.TLSConfig, Timeout: d.Timeout, Dial: d.dial}
	switch d.Security {
	case TLS:
		opt.TLS = imapwire.ImplicitTLS
	case Insecure:
		opt.TLS = imapwire.NoTLS
	}
	if c, err = imapwire.Dial(ctx, d.Addr, opt); err != nil {
		return nil, err
	}
	switch {
	case l.Token != "":
		err = c.AuthBearer(ctx, l.User, l.Token.Reveal())
	case l.Password != "":
		if c.Has("AUTH=PLAIN") {
			err = c.AuthPlain(ctx, "", l.User, l.Password.Reveal())
		} else {
			err = c.Login(ctx, l.User, l.Password.Reveal())
		}
	case d.Admin != "":
		err = c.AuthPlain(ctx, l.User, d.Admin, d.AdminPassword.Reveal())
	default:
		err = errors.New("neither a password nor an admin to log in with")
	}
	if err != nil {
		if _, ok := errors.AsType[*imapwire.Error](err); ok {
			err = fmt.Errorf("%w: %w", ErrLogin, err)
		}
	}
	return c, err
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
