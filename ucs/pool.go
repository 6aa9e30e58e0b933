package ucs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/internal/limiter"
	"github.com/ictmedia/schoolmail/internal/retry"
	"github.com/ictmedia/schoolmail/ucs/internal/bulk"
)

// pool keeps a few bound connections. Each serves one request at a time, so
// that a cancelled request can be ended by closing its connection.
type pool struct {
	addr    string
	host    string
	secure  bool // ldaps
	opts    *Options
	slots   *limiter.Limiter
	mu      sync.Mutex
	idle    []*ldap.Conn
	bulk    []*bulk.Conn // idle ones for large searches
	closed  bool
	retry   time.Duration // first pause after "busy"
	counter counters
}

// Stats counts the requests that were sent since the client was made.
type Stats struct {
	Bind, Search, Add, Modify, Delete, Rename int64
}

// Total is the number of all requests.
func (s Stats) Total() int64 {
	return s.Bind + s.Search + s.Add + s.Modify + s.Delete + s.Rename
}

type counters struct{ bind, search, add, modify, del, rename atomic.Int64 }

// Observer hears of requests. Observe must be quick and safe for concurrent use.
type Observer interface{ Observe(Event) }

// ObserverFunc makes an Observer of a function.
type ObserverFunc func(Event)

// Observe calls the function.
func (f ObserverFunc) Observe(e Event) { f(e) }

// Event is one finished request.
type Event struct {
	Op       string // "bind", "search", "add", "modify", "delete", "rename"
	Duration time.Duration
	Code     uint16 // LDAP result code; 200 and above are errors of the connection
}

var errClosed = errors.New("client is closed")

func newPool(rawURL string, o *Options) (*pool, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("ucs: server address: %w", err)
	}
	p := &pool{host: u.Hostname(), opts: o, slots: limiter.New(o.PoolSize, o.PoolSize), retry: 100 * time.Millisecond}
	port := u.Port()
	switch u.Scheme {
	case "ldap":
		if port == "" {
			port = "7389"
		}
	case "ldaps":
		p.secure = true
		if port == "" {
			port = "7636"
		}
	default:
		return nil, fmt.Errorf("ucs: server address %q: expected ldap://host:port or ldaps://host:port", rawURL)
	}
	if p.host == "" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("ucs: server address %q: expected ldap://host:port or ldaps://host:port", rawURL)
	}
	p.addr = net.JoinHostPort(p.host, port)
	return p, nil
}

// slot waits until a connection may be used.
func (p *pool) slot(ctx context.Context) error {
	if err := p.slots.Acquire(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		p.slots.Return()
		return errClosed
	}
	return nil
}

// get returns a bound connection. The caller gives it back with put.
func (p *pool) get(ctx context.Context) (*ldap.Conn, error) {
	if err := p.slot(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if !c.IsClosing() {
			p.mu.Unlock()
			return c, nil
		}
	}
	p.mu.Unlock()
	c, err := dial(ctx, p, p.open)
	if err != nil {
		p.slots.Return()
		return nil, err
	}
	return c, nil
}

// getBulk returns a bound connection for a large search. The caller gives it back
// with putBulk.
func (p *pool) getBulk(ctx context.Context) (*bulk.Conn, error) {
	if err := p.slot(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if n := len(p.bulk); n > 0 {
		c := p.bulk[n-1]
		p.bulk = p.bulk[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	c, err := dial(ctx, p, p.openBulk)
	if err != nil {
		p.slots.Return()
		return nil, err
	}
	return c, nil
}

// putBulk takes a connection back. If it broke, others that nobody has used for
// as long are not to be trusted either.
func (p *pool) putBulk(c *bulk.Conn, ok bool) {
	p.mu.Lock()
	old := []*bulk.Conn{c}
	if ok && !p.closed {
		p.bulk = append(p.bulk, c)
		old = nil
	} else {
		old = append(old, p.bulk...)
		p.bulk = nil
	}
	p.mu.Unlock()
	for _, c := range old {
		c.Close()
	}
	p.slots.Return()
}

// put takes a connection back, or closes it if it is not to be used again.
func (p *pool) put(c *ldap.Conn, ok bool) {
	p.mu.Lock()
	if ok && !p.closed && !c.IsClosing() {
		p.idle = append(p.idle, c)
		c = nil
	}
	p.mu.Unlock()
	if c != nil {
		c.Close()
	}
	p.slots.Return()
}

// dial opens a connection and binds. The time for all of it is that of one
// request.
func dial[C any](ctx context.Context, p *pool, open func(context.Context) (C, error)) (C, error) {
	inner, cancel := context.WithTimeout(ctx, p.opts.Timeout)
	defer cancel()
	c, err := open(inner)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return c, context.Cause(ctx)
	case inner.Err() != nil:
		return c, &Error{Kind: ErrUnavailable, Code: ldap.ErrorNetwork,
			Err: fmt.Errorf("connecting to %s: no answer in %v", p.addr, p.opts.Timeout)}
	}
	return c, translate(err)
}

// connect opens a connection, encrypted if the address is ldaps. The config is
// that of StartTLS, nil where nothing is to be encrypted any more.
func (p *pool) connect(ctx context.Context) (net.Conn, *tls.Config, error) {
	nc, err := p.opts.Dial(ctx, "tcp", p.addr)
	if err != nil {
		return nil, nil, err
	}
	cfg := p.opts.TLS.Clone()
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if cfg.ServerName == "" {
		cfg.ServerName = p.host
	}
	if p.secure {
		tc := tls.Client(nc, cfg)
		if err := tc.HandshakeContext(ctx); err != nil {
			nc.Close()
			return nil, nil, err
		}
		return tc, nil, nil
	}
	if p.opts.Plaintext {
		cfg = nil
	}
	return nc, cfg, nil
}

// binder is what both kinds of connections can do.
type binder interface {
	StartTLS(*tls.Config) error
	Bind(dn, password string) error
	Close() error
}

// ready encrypts and binds.
func (p *pool) ready(ctx context.Context, c binder, cfg *tls.Config) error {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if cfg != nil {
		if err := c.StartTLS(cfg); err != nil {
			c.Close()
			return err
		}
	}
	if p.opts.BindDN == "" {
		return nil
	}
	p.counter.bind.Add(1)
	begin := time.Now()
	err := c.Bind(p.opts.BindDN, p.opts.Password.Reveal())
	p.observe("bind", begin, translate(err))
	if err != nil {
		c.Close()
	}
	return err
}

func (p *pool) open(ctx context.Context) (*ldap.Conn, error) {
	nc, cfg, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	c := ldap.NewConn(nc, p.secure)
	c.SetTimeout(p.opts.Timeout)
	c.Start()
	return c, p.ready(ctx, c, cfg)
}

func (p *pool) openBulk(ctx context.Context) (*bulk.Conn, error) {
	nc, cfg, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	c := bulk.New(nc, p.opts.Timeout)
	return c, p.ready(ctx, c, cfg)
}

func (p *pool) observe(op string, begin time.Time, err error) {
	if p.opts.Observer != nil {
		p.opts.Observer.Observe(Event{Op: op, Duration: time.Since(begin), Code: code(err)})
	}
}

// attempts is how often a request is tried when the server is busy or, for
// reads, when the connection fails.
const attempts = 4

// do runs one request on a connection of the pool. A server that is busy is
// asked again; after a broken connection only what changes nothing (read) is
// repeated, as a write may have been done.
func (p *pool) do(ctx context.Context, op string, read bool, f func(*ldap.Conn) error) error {
	pause := p.retry
	for try := 1; ; try++ {
		err := p.once(ctx, op, f)
		if err == nil || ctx.Err() != nil || try == attempts || !(refused(err) || read && lost(err)) {
			return err
		}
		if refused(err) || try > 1 {
			if err := retry.Sleep(ctx, pause); err != nil {
				return err
			}
			pause = retry.Grow(pause, pause, time.Minute)
		}
	}
}

func (p *pool) once(ctx context.Context, op string, f func(*ldap.Conn) error) error {
	c, err := p.get(ctx)
	if err != nil {
		return err
	}
	return p.run(ctx, op, c, true, f)
}

// run sends one request on a connection. With release the connection goes
// back afterwards; without, it stays with the caller unless it broke.
func (p *pool) run(ctx context.Context, op string, c *ldap.Conn, release bool, f func(*ldap.Conn) error) error {
	p.count(op)
	begin := time.Now()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	err := translate(f(c))
	if !stop() && err != nil {
		err = context.Cause(ctx)
	}
	p.observe(op, begin, err)
	if release {
		p.put(c, !lost(err))
	}
	return err
}

func (p *pool) count(op string) {
	switch op {
	case "search":
		p.counter.search.Add(1)
	case "add":
		p.counter.add.Add(1)
	case "modify":
		p.counter.modify.Add(1)
	case "delete":
		p.counter.del.Add(1)
	case "rename":
		p.counter.rename.Add(1)
	}
}

func (p *pool) stats() Stats {
	c := &p.counter
	return Stats{c.bind.Load(), c.search.Load(), c.add.Load(), c.modify.Load(), c.del.Load(), c.rename.Load()}
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	large := p.bulk
	p.idle, p.bulk, p.closed = nil, nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
	for _, c := range large {
		c.Close()
	}
}
