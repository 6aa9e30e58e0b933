package dovecottest

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Mailbox is a mailbox block of the configuration.
type Mailbox struct {
	Name       string // "Sent"
	SpecialUse string // "\\Sent", or empty
	Auto       string // "no" (the same as empty), "create" or "subscribe"
}

// StandardMailboxes are Drafts, Sent, Trash and Junk with their special use,
// created and subscribed by themselves. They are the default.
func StandardMailboxes() []Mailbox {
	return []Mailbox{
		{"Drafts", `\Drafts`, "subscribe"},
		{"Sent", `\Sent`, "subscribe"},
		{"Trash", `\Trash`, "subscribe"},
		{"Junk", `\Junk`, "subscribe"},
	}
}

// User is an account in the simulated userdb.
type User struct {
	Name     string
	Password string
	// Home is the home directory; empty means MailRoot/Name. Users with the
	// same home share mail, and a user whose Home changes leaves it behind.
	Home string
	// QuotaBytes is the user's storage limit; 0 means the server's default. An
	// entry in the dict of [WithQuotaDict] comes before it.
	QuotaBytes int64
	// Backend is where a director places the user; empty means the first.
	Backend string

	limit *string // the dict's entry, in KiB
}

// config is what options set.
type config struct {
	apiKey, password       string
	master, masterPassword string
	separator              string
	mailboxes              []Mailbox
	quota                  int64
	quotaDict              string
	mailRoot               string
	series24, sieve        bool
	authCache              bool
	allowed                map[string]bool
	backends               []string
	latency                time.Duration
	now                    func() time.Time
	userDB                 func(name string) (User, bool)
}

// WithUserDB asks another system, such as the directory, for users that were
// not set by [Server.SetUsers]. Who was found once is remembered until
// [Server.RemoveUsers]. The function must not call the server.
func WithUserDB(find func(name string) (User, bool)) Option {
	return func(c *config) { c.userDB = find }
}

// Option configures [New] and [Start].
type Option func(*config)

// WithAPIKey sets the doveadm_api_key; the default is "test-key". Empty
// switches this way of authentication off.
func WithAPIKey(key string) Option { return func(c *config) { c.apiKey = key } }

// WithPassword sets the doveadm_password; the default is none.
func WithPassword(password string) Option { return func(c *config) { c.password = password } }

// WithMaster sets the IMAP master user; the default is "master" with password
// "test-master".
func WithMaster(name, password string) Option {
	return func(c *config) { c.master, c.masterPassword = name, password }
}

// WithSeparator sets the hierarchy separator; the default is "/".
func WithSeparator(sep string) Option { return func(c *config) { c.separator = sep } }

// WithMailboxes sets the mailboxes of the configuration; the default is
// [StandardMailboxes].
func WithMailboxes(boxes ...Mailbox) Option {
	return func(c *config) { c.mailboxes = slices.Clone(boxes) }
}

// WithQuota sets the storage limit of users without one of their own; the
// default is 1 GiB, 0 is none.
func WithQuota(bytes int64) Option { return func(c *config) { c.quota = bytes } }

// WithQuotaDict makes the userdb read storage limits from a dict of this URI,
// such as "proxy::quota", or of this name with [WithSeries24], that dictSet can write: in KiB, under the key
// "priv/quota/limit/storage". Without it the server has no dict.
func WithQuotaDict(uri string) Option { return func(c *config) { c.quotaDict = uri } }

// WithMailRoot sets the directory of homes; the default is "/srv/mail". It
// exists in the simulator only.
func WithMailRoot(dir string) Option { return func(c *config) { c.mailRoot = dir } }

// WithSeries24 answers like Dovecot 2.4: null is a text, batches are valid
// JSON, kick counts, and the commands of directors and replicators are gone.
func WithSeries24() Option { return func(c *config) { c.series24 = true } }

// WithSieve adds the commands for Sieve scripts, as Pigeonhole does. It stores scripts, and
// compiles no more of them than what they require; they do nothing to mail.
func WithSieve() Option { return func(c *config) { c.sieve = true } }

// WithAuthCache remembers userdb answers, also of unknown users, until
// authCacheFlush.
func WithAuthCache() Option { return func(c *config) { c.authCache = true } }

// WithAllowedCommands sets doveadm_allowed_commands ("mailbox list").
func WithAllowedCommands(words ...string) Option {
	return func(c *config) {
		c.allowed = map[string]bool{}
		for _, w := range words {
			c.allowed[camelCase(w)] = true
		}
	}
}

// WithDirector makes the server a director over these backends (IP addresses).
func WithDirector(backends ...string) Option {
	return func(c *config) { c.backends = slices.Clone(backends) }
}

// WithLatency makes every doveadm request take at least this long; real
// servers take 10 to 20 ms.
func WithLatency(d time.Duration) Option { return func(c *config) { c.latency = d } }

// Server is a simulated Dovecot. It is an [http.Handler] for the doveadm API;
// [Start] also serves it and IMAP on loopback.
type Server struct {
	// URL is the base of the doveadm API and IMAPAddr the host:port of IMAP.
	URL, IMAPAddr string
	// APIKey, MasterUser and MasterPassword are what the options set.
	APIKey, MasterUser, MasterPassword string
	// MailRoot is the directory of homes.
	MailRoot string
	// QuotaDict is the URI of the dict with storage limits, if any.
	QuotaDict string

	cfg      config
	declared []*declared

	mu        sync.Mutex
	users     map[string]User
	cache     map[string]cached // with the auth cache: name -> answer
	dict      map[string]string // full key -> value
	stores    map[string]*store // by home
	sessions  map[*session]bool
	nextPID   int
	placed    map[string]string // director: user -> backend
	calls     []Call
	keepCalls bool
	faults    []*Fault
	imapFault []*IMAPFault
	imapSeen  map[string]int64
	logLines  []logLine

	http     *http.Server
	imapL    net.Listener
	wg       sync.WaitGroup
	closing  sync.Once
	closed   error // of closing
	imapConn map[net.Conn]bool
}

type cached struct {
	user  User
	found bool
}

type logLine struct {
	at   time.Time
	text string
}

// New makes a server that listens nowhere: use it as an [http.Handler], and
// [Server.ServeIMAP] for IMAP connections.
func New(opts ...Option) *Server {
	s := &Server{
		cfg: config{
			apiKey: "test-key", master: "master", masterPassword: "test-master", separator: "/",
			mailboxes: StandardMailboxes(), quota: 1 << 30, mailRoot: "/srv/mail", now: time.Now,
		},
		users: map[string]User{}, cache: map[string]cached{}, dict: map[string]string{}, stores: map[string]*store{},
		sessions: map[*session]bool{}, nextPID: 1000, placed: map[string]string{}, keepCalls: true,
		imapSeen: map[string]int64{}, imapConn: map[net.Conn]bool{},
	}
	for _, o := range opts {
		o(&s.cfg)
	}
	s.declared = declaration(s.cfg.series24, s.cfg.sieve)
	s.APIKey, s.MailRoot, s.QuotaDict = s.cfg.apiKey, s.cfg.mailRoot, s.cfg.quotaDict
	s.MasterUser, s.MasterPassword = s.cfg.master, s.cfg.masterPassword
	return s
}

// Start makes a server and serves both protocols on loopback ports of the
// system's choice until [Server.Close]. The error is that it cannot listen.
func Start(opts ...Option) (*Server, error) {
	s := New(opts...)
	hl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("dovecottest: %w", err)
	}
	il, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		hl.Close()
		return nil, fmt.Errorf("dovecottest: %w", err)
	}
	s.URL = "http://" + hl.Addr().String()
	s.IMAPAddr = il.Addr().String()
	s.imapL = il
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	s.wg.Go(func() { s.http.Serve(hl) })
	s.wg.Go(func() {
		for {
			c, err := il.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.ServeIMAP(c) })
		}
	})
	return s, nil
}

// Run starts a server for one function, which gets a context that ends with it, and returns
// the function's error.
func Run(f func(ctx context.Context, s *Server) error, opts ...Option) error {
	s, err := Start(opts...)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	return errors.Join(f(ctx, s), s.Close())
}

// Close ends both listeners and all connections. It may be called twice.
func (s *Server) Close() error {
	s.closing.Do(func() {
		if s.http != nil {
			s.closed = errors.Join(s.http.Close(), s.imapL.Close())
		}
		s.mu.Lock()
		for c := range s.imapConn {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s.closed
}

// SetUsers adds or replaces users; mail stays where it is.
func (s *Server) SetUsers(users ...User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range users {
		if u.Home == "" {
			u.Home = cleanHome(s.cfg.mailRoot + "/" + u.Name)
		}
		s.users[u.Name] = u
	}
}

// RemoveUsers takes users out of the userdb; mail and sessions stay.
func (s *Server) RemoveUsers(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		delete(s.users, n)
	}
}

// User returns a user as the userdb has it now, whatever the cache says.
func (s *Server) User(name string) (User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[name]
	return u, ok
}

// Home returns the home of a user, existing or not.
func (s *Server) Home(name string) string {
	if u, ok := s.User(name); ok {
		return u.Home
	}
	return cleanHome(s.cfg.mailRoot + "/" + name)
}

// lookup asks the userdb through the cache, for the name in lower case as Dovecot does
// (auth_username_format). The caller holds s.mu.
func (s *Server) lookup(name string) (User, bool) {
	name = strings.ToLower(name)
	if s.cfg.authCache {
		if c, ok := s.cache[name]; ok {
			return c.user, c.found
		}
	}
	u, ok := s.users[name]
	if !ok && s.cfg.userDB != nil {
		if u, ok = s.cfg.userDB(name); ok {
			if u.Home == "" {
				u.Home = s.cfg.mailRoot + "/" + name
			}
			u.Home = cleanHome(u.Home)
			s.users[name] = u
		}
	}
	u = s.withLimit(u)
	if s.cfg.authCache {
		s.cache[name] = cached{u, ok}
	}
	return u, ok
}

// userNames returns the sorted names of the userdb.
func (s *Server) userNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedKeys(s.users)
}

// store returns the mail of a user, coming into being if need be.
func (s *Server) store(u User) *store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.storeAt(u.Home)
}

func (s *Server) storeAt(home string) *store {
	home = cleanHome(home)
	st := s.stores[home]
	if st == nil {
		st = newStore(&s.cfg)
		s.stores[home] = st
	}
	return st
}

// withLimit adds what the dict says. The caller holds s.mu.
func (s *Server) withLimit(u User) User {
	if v, ok := s.dict[dictKey(u.Name, quotaKey)]; ok {
		u.limit = &v
	}
	return u
}

// badLimit reports whether the dict gives a limit that is none, so that the
// user's mail cannot be opened.
func (u User) badLimit() bool {
	if u.limit == nil {
		return false
	}
	_, err := strconv.ParseUint(*u.limit, 10, 53)
	return err != nil
}

// limit returns the storage limit of a user in bytes, 0 for none.
func (s *Server) limit(u User) int64 {
	if u.limit != nil {
		n, _ := strconv.ParseInt(*u.limit, 10, 64)
		return n << 10
	}
	if u.QuotaBytes > 0 {
		return u.QuotaBytes
	}
	return s.cfg.quota
}

// Message is a stored message, for tests to put in and look at.
type Message struct {
	UID   uint32
	Flags []string // system flags first, without \Recent
	Date  time.Time
	// Body is the whole message with CRLF line ends.
	Body []byte
}

// AddMessage stores a message for a user, creating the mailbox if need be and
// asking no quota, and returns its UID. Bare LF becomes CRLF. The error is that
// the user does not exist.
func (s *Server) AddMessage(user, mailbox string, m Message) (uint32, error) {
	st := s.storeOf(user)
	if st == nil {
		return 0, fmt.Errorf("dovecottest: no user %q", user)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	b := st.open(mailbox)
	if b == nil {
		b = st.create(st.canonical(mailbox))
	}
	if m.Date.IsZero() {
		m.Date = s.cfg.now()
	}
	msg := &message{flags: cleanFlags(m.Flags), date: m.Date, body: normalise(m.Body)}
	st.add(b, msg)
	return msg.uid, nil
}

// Messages returns the messages of a mailbox in the order of UIDs; nil when the
// mailbox or the user does not exist.
func (s *Server) Messages(user, mailbox string) []Message {
	st := s.storeOf(user)
	if st == nil {
		return nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	b := st.boxes[st.canonical(mailbox)]
	if b == nil {
		return nil
	}
	list := make([]Message, len(b.msgs))
	for i, m := range b.msgs {
		list[i] = Message{UID: m.uid, Flags: slices.Clone(m.flags), Date: m.date, Body: m.body}
	}
	return list
}

// Mailboxes returns the names of the mailboxes that exist for a user, sorted.
// There are none of a user who does not exist.
func (s *Server) Mailboxes(user string) []string {
	st := s.storeOf(user)
	if st == nil {
		return nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return sortedKeys(st.boxes)
}

// Subscribed returns a user's subscriptions, sorted.
func (s *Server) Subscribed(user string) []string {
	st := s.storeOf(user)
	if st == nil {
		return nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.subscribed()
}

// storeOf is nil for a user that does not exist.
func (s *Server) storeOf(user string) *store {
	u, ok := s.User(user)
	if !ok {
		return nil
	}
	return s.store(u)
}

// Homes returns the home directories that hold mail, sorted: also those of
// users who are gone.
func (s *Server) Homes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedKeys(s.stores)
}

// Fingerprint is a digest of all users and mail, for comparing states: of
// homes, mailboxes, subscriptions, and messages with flags, dates and bodies.
// UIDVALIDITY, GUIDs and times of saving are left out.
func (s *Server) Fingerprint() string {
	s.mu.Lock()
	users := sortedKeys(s.users)
	all := maps.Clone(s.users)
	stores := maps.Clone(s.stores)
	s.mu.Unlock()
	h := sha1.New()
	for _, n := range users {
		u := all[n]
		fmt.Fprintf(h, "user %q %q %q %d\n", u.Name, u.Password, u.Home, u.QuotaBytes)
	}
	for _, home := range sortedKeys(stores) {
		st := stores[home]
		st.mu.Lock()
		fmt.Fprintf(h, "home %q %q\n", home, st.subscribed())
		for _, n := range sortedKeys(st.boxes) {
			fmt.Fprintf(h, "box %q\n", n)
			for _, m := range st.boxes[n].msgs {
				fmt.Fprintf(h, "%d %q %d %x\n", m.uid, m.flags, m.date.Unix(), sha1.Sum(m.body))
			}
		}
		st.mu.Unlock()
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s *Server) logf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logLines = append(s.logLines, logLine{s.cfg.now(), fmt.Sprintf(format, args...)})
	if len(s.logLines) > 1000 {
		s.logLines = slices.Delete(s.logLines, 0, 500)
	}
}

// camelCase turns "mailbox list" and "mailbox-list" into "mailboxList".
func camelCase(words string) string {
	parts := strings.FieldsFunc(words, func(r rune) bool { return r == ' ' || r == '-' })
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, "")
}
