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
)

// pool keeps a few bound connections. Each serves one request at a time, so
// that a cancelled request can be ended by closing its connection.
type pool struct {
	addr    string
	host    string
	secure  bool // ldaps
	opts    *Options
	slots   chan struct{}
	mu      sync.Mutex
	idle    []*ldap.Conn
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

// Request describes one finished request, for [Options.Observe].
type Request struct {
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
	p := &pool{host: u.Hostname(), opts: o, slots: make(chan struct{}, o.PoolSize), retry: 50 * time.Millisecond}
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

// get returns a bound connection. The caller gives it back with put.
func (p *pool) get(ctx context.Context) (*ldap.Conn, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		<-p.slots
		return nil, errClosed
	}
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if !c.IsClosing() {
			p.mu.Unlock()
			return c, nil
		}
	}
	p.mu.Unlock()
	c, err := p.dial(ctx)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return c, nil
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
	<-p.slots
}

// dial opens a connection and binds. The time for all of it is that of one
// request.
func (p *pool) dial(ctx context.Context) (*ldap.Conn, error) {
	inner, cancel := context.WithTimeout(ctx, p.opts.Timeout)
	defer cancel()
	c, err := p.open(inner)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case inner.Err() != nil:
		return nil, &Error{Kind: ErrUnavailable, Code: ldap.ErrorNetwork,
			Err: fmt.Errorf("connecting to %s: no answer in %v", p.addr, p.opts.Timeout)}
	}
	return nil, translate(err)
}

func (p *pool) open(ctx context.Context) (*ldap.Conn, error) {
	nc, err := p.opts.Dial(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
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
			return nil, err
		}
		nc = tc
	}
	c := ldap.NewConn(nc, p.secure)
	c.SetTimeout(p.opts.Timeout)
	c.Start()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if !p.secure && !p.opts.Plaintext {
		if err := c.StartTLS(cfg); err != nil {
			c.Close()
			return nil, err
		}
	}
	if p.opts.BindDN != "" {
		p.counter.bind.Add(1)
		begin := time.Now()
		err := c.Bind(p.opts.BindDN, p.opts.Password.Reveal())
		p.observe("bind", begin, translate(err))
		if err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

func (p *pool) observe(op string, begin time.Time, err error) {
	if p.opts.Observe != nil {
		p.opts.Observe(Request{Op: op, Duration: time.Since(begin), Code: code(err)})
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
			if err := sleep(ctx, pause); err != nil {
				return err
			}
			pause *= 3
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
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}
