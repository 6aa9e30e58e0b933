package ucstest

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Server is the directory. Its methods are safe for concurrent use.
type Server struct {
	// BaseDN is the suffix, BindDN the administrator (cn=admin below it) and
	// Password his password.
	BaseDN, BindDN string
	Password       schoolmail.Secret
	// URL is the ldap:// address, valid after Start. StartTLS works there.
	URL string
	// LDAPSURL is the ldaps:// address, valid after Start.
	LDAPSURL string

	mistake error // in the options
	cfg     config
	schema  *schema

	mu   sync.RWMutex // guards tree and log
	tree *tree
	log  *translog // nil: nobody asked for it

	rec recorder

	lnMu      sync.Mutex
	listeners []net.Listener
	conns     map[*conn]struct{}
	closed    bool
	wg        sync.WaitGroup
	stop      context.CancelFunc
	ctx       context.Context

	cert *certificate
}

// config is what options set.
type config struct {
	base      string
	domain    string
	schemas   []string
	sizeLimit int
	recordMax int
	now       func() time.Time
}

// Option changes a server before it is made.
type Option func(*config)

// WithBaseDN sets the suffix; it must consist of dc parts. The default is
// "dc=schulen,dc=example".
func WithBaseDN(dn string) Option { return func(c *config) { c.base = dn } }

// WithMailDomains registers mail domains besides the domain of the suffix, as
// a site does before it uses them in addresses.
func WithMailDomains(domains ...string) Option {
	return func(c *config) { c.domain = strings.Join(append([]string{c.domain}, domains...), " ") }
}

// WithSchema loads another schema file (in the format of [Schema]) after the
// built-in ones.
func WithSchema(text string) Option { return func(c *config) { c.schemas = append(c.schemas, text) } }

// WithSizeLimit sets the largest number of entries that one search returns;
// the default is 400000, as on UCS.
func WithSizeLimit(n int) Option { return func(c *config) { c.sizeLimit = n } }

// WithClock sets the clock of the operational attributes and of account
// expiry.
func WithClock(now func() time.Time) Option { return func(c *config) { c.now = now } }

// WithRecord sets how many calls [Server.Calls] keeps, the latest ones; the
// default is 10000. Counts are kept of all.
func WithRecord(n int) Option { return func(c *config) { c.recordMax = n } }

// New makes a directory with the entries that every UCS domain has (see
// [Server.LDIF]). It does not listen yet. A mistake in the options is reported by
// whatever is called next: [Server.Listen], [Server.Add] and the like.
func New(opts ...Option) *Server {
	c := config{base: defaultBase, sizeLimit: 400000, recordMax: 10000, now: time.Now}
	for _, o := range opts {
		o(&c)
	}
	s := &Server{Password: "univention", conns: map[*conn]struct{}{}}
	s.rec.max = c.recordMax
	s.ctx, s.stop = context.WithCancel(context.Background())
	if s.mistake = s.build(c); s.mistake != nil {
		c.base, c.schemas = defaultBase, nil
		s.build(c) // so that everything can be looked at
	}
	return s
}

const defaultBase = "dc=schulen,dc=example"

func (s *Server) build(c config) error {
	sch, err := newSchema(append([]string{standardSchema, ucsSchema}, c.schemas...)...)
	if err != nil {
		return fmt.Errorf("ucstest: %w", err)
	}
	t, err := newTree(sch, c.base, c.now)
	if err != nil {
		return fmt.Errorf("ucstest: base DN %q: %w", c.base, err)
	}
	s.BaseDN, s.BindDN, s.cfg, s.schema, s.tree = c.base, "cn=admin,"+c.base, c, sch, t
	return s.seedBase()
}

// Start is New followed by [Server.Listen].
func Start(opts ...Option) (*Server, error) {
	s := New(opts...)
	if err := s.Listen(); err != nil {
		return nil, err
	}
	return s, nil
}

// Run starts a directory for the time of one call.
func Run(f func(ctx context.Context, s *Server) error, opts ...Option) error {
	s, err := Start(opts...)
	if err != nil {
		return err
	}
	defer s.Close()
	return f(s.ctx, s)
}

// Listen opens an LDAP and an LDAPS port on loopback and serves them until
// Close.
func (s *Server) Listen() error {
	if s.mistake != nil {
		return s.mistake
	}
	cert, err := newCertificate()
	if err != nil {
		return fmt.Errorf("ucstest: certificate: %w", err)
	}
	s.cert = cert
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("ucstest: %w", err)
	}
	secure, err := tls.Listen("tcp", "127.0.0.1:0", cert.server)
	if err != nil {
		plain.Close()
		return fmt.Errorf("ucstest: %w", err)
	}
	s.URL, s.LDAPSURL = "ldap://"+plain.Addr().String(), "ldaps://"+secure.Addr().String()
	s.Serve(plain)
	s.Serve(secure)
	return nil
}

// Serve accepts connections from l in the background until Close.
func (s *Server) Serve(l net.Listener) {
	s.lnMu.Lock()
	defer s.lnMu.Unlock()
	if s.closed {
		l.Close()
		return
	}
	s.listeners = append(s.listeners, l)
	s.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			s.ServeConn(nc)
		}
	})
}

// ServeConn serves one connection in the background.
func (s *Server) ServeConn(nc net.Conn) {
	s.lnMu.Lock()
	defer s.lnMu.Unlock()
	if s.closed {
		nc.Close()
		return
	}
	c := &conn{s: s, nc: nc, r: bufio.NewReader(nc), pagers: map[string]*pager{}}
	_, c.tls = nc.(*tls.Conn)
	s.conns[c] = struct{}{}
	s.wg.Go(func() {
		c.serve()
		c.nc.Close()
		s.lnMu.Lock()
		delete(s.conns, c)
		s.lnMu.Unlock()
	})
}

// CertPool holds the authority that signed the server's certificate.
func (s *Server) CertPool() *x509.CertPool { return s.cert.pool }

// Close ends all connections and listeners. The tree stays readable. Closing
// again does nothing.
func (s *Server) Close() error {
	s.lnMu.Lock()
	s.closed = true
	s.stop()
	for _, l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.nc.Close()
	}
	s.lnMu.Unlock()
	s.wg.Wait()
	return nil
}

// DropConnections closes every open connection, as slapd does after its idle
// timeout.
func (s *Server) DropConnections() {
	s.lnMu.Lock()
	defer s.lnMu.Unlock()
	for c := range s.conns {
		c.nc.Close()
	}
}

// Len returns the number of entries.
func (s *Server) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.tree.byID)
}

// Attributes returns the values of an attribute of an entry, or nil.
// Operational attributes work as well.
func (s *Server) Attributes(dn, name string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, r := s.tree.find(dn)
	at := s.schema.attr(name)
	if r != nil || at == nil {
		return nil
	}
	return slices.Clone(s.tree.values(e, at))
}

// Exists reports whether there is an entry with this name.
func (s *Server) Exists(dn string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, r := s.tree.find(dn)
	return r == nil
}

// Add puts an entry into the tree, with the checks of an LDAP add. The
// attributes are pairs of name and value; a name may come several times.
func (s *Server) Add(dn string, pairs ...string) error {
	if len(pairs)%2 != 0 {
		return errors.New("ucstest: attributes come as pairs of name and value")
	}
	var list []given
	for i := 0; i < len(pairs); i += 2 {
		j := slices.IndexFunc(list, func(g given) bool { return strings.EqualFold(g.desc, pairs[i]) })
		if j < 0 {
			list = append(list, given{desc: pairs[i]})
			j = len(list) - 1
		}
		list[j].vals = append(list[j].vals, pairs[i+1])
	}
	return s.addEntry(dn, list)
}

func (s *Server) addEntry(dn string, list []given) error {
	if s.mistake != nil {
		return s.mistake
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.tree.add(dn, list, s.BindDN); r != nil {
		return fmt.Errorf("ucstest: add %s: result %d: %s", dn, r.code, r.message)
	}
	s.logged("a", dn)
	return nil
}

// Entry is an entry as [Server.Entries] returns it.
type Entry struct {
	DN         string
	Attributes []Attribute
}

// Attribute is an attribute with its values.
type Attribute struct {
	Name   string
	Values []string
}

// Entries returns the whole tree without operational attributes, in the order
// in which the entries were made.
func (s *Server) Entries() []Entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Entry, 0, len(s.tree.all))
	for _, id := range s.tree.all {
		e := s.tree.byID[id]
		x := Entry{DN: e.dn}
		for _, a := range e.attrs {
			x.Attributes = append(x.Attributes, Attribute{a.at.name, slices.Clone(a.vals)})
		}
		out = append(out, x)
	}
	return out
}
