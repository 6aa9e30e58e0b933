package ucs

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs/internal/layout"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// Tree holds the words of the tree below a school that a site can change (UCR
// variables ucsschool/ldap/default/container/* and .../groupprefix/*). A zero
// field means the default of UCS@school, given beside it.
type Tree struct {
	Pupils           string // schueler: container below cn=users and cn=groups, group prefix
	Teachers         string // lehrer
	Staff            string // mitarbeiter
	TeachersAndStaff string // lehrer und mitarbeiter
	Admins           string // admins
	Classes          string // klassen: container of the class groups
	Rooms            string // raeume
	Exam             string // examusers: container of exam clones, directly below the school
}

// Scheme is how passwords are hashed in userPassword.
type Scheme string

// The schemes. Crypt is what UCS itself writes: SHA-512 crypt with 5000 rounds,
// and Kerberos keys (AES-256, AES-128, RC4) beside it; it takes some 4
// milliseconds of computing for each password. SSHA is salted SHA-1 and no
// Kerberos keys: weak and fast, for test directories.
const (
	Crypt Scheme = "crypt"
	SSHA  Scheme = "ssha"
)

// Options of a [Client]. The zero value of each field works, but BindDN and
// Password are needed on any server that is set up sensibly.
type Options struct {
	BindDN   string
	Password schoolmail.Secret
	// BaseDN is the suffix; empty: the server's first naming context.
	BaseDN string

	// TLS configures ldaps and StartTLS; nil: system roots, TLS 1.2 or later.
	TLS *tls.Config
	// Plaintext leaves ldap:// unencrypted. Otherwise StartTLS is required.
	Plaintext bool
	// Dial opens connections; nil: net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// PoolSize is the largest number of connections, at least 2; 0 means 8.
	PoolSize int
	// PageSize is how many entries a page of a search holds; 0 means 1000.
	PageSize int
	// Timeout ends a single request; 0 means a minute.
	Timeout time.Duration

	// Source, if set, is the only source whose accounts may be written. It
	// guards against a policy and a directory that do not belong together.
	Source string
	// StateAttribute keeps the life-cycle text; empty: univentionFreeAttribute20.
	// It must be allowed by object class univentionFreeAttributes.
	StateAttribute string
	// RetiredDN is the container of the names that are never given again;
	// empty: cn=retired-names,cn=ucsschool,cn=univention,BASE. It is made when
	// first needed.
	RetiredDN string
	// Tree holds the words of the tree; zero fields mean the defaults.
	Tree Tree
	// CreateSchools makes schools that do not exist (see [Client.EnsureSchool])
	// and mail domains when an account needs them. Without it that is an error.
	CreateSchools bool

	// Scheme hashes initial passwords; empty: Crypt.
	Scheme Scheme
	// ChangePassword asks people to change their initial password when they first log
	// in to Windows or to the portal. Mail programs know nothing of it: Open-Xchange
	// and IMAP take the initial password until it is changed there.
	ChangePassword bool
	// OXProfiles translates the access combination of an account
	// (schoolmail.Account.Access) into the access profile that is written to
	// oxAccess of accounts in a context. One that is not listed is written as
	// it is.
	OXProfiles map[string]string
	// OXAccess is the profile of accounts whose combination is not known;
	// empty: the attribute is left alone.
	OXAccess string
	// MailHomeServer is written to univentionMailHomeServer of accounts that
	// have none, if set (the IMAP server's full host name).
	MailHomeServer string
	// Extras, if set, says what else belongs to an account, by its context,
	// access or role. It must be quick, safe for concurrent use, and always
	// say the same of the same account.
	Extras func(schoolmail.Account) Extras
	// Birth, if set, gives the keyed hash of a date of birth. Then univentionBirthday of
	// accounts that no record stands behind is read, and only the hash is kept, so that
	// they can be told from others of their name when they are adopted.
	Birth func(schoolmail.Date) string
	// Stamps says what to make of accounts that somebody else has marked for
	// deletion; empty: StampsHold.
	Stamps Stamps
	// S4Connector writes the placeholder sambaSID that a domain with Samba/AD
	// expects ("S-1-4-" and the uid number) instead of an algorithmic one.
	S4Connector bool
	// Windows are templates of what Windows computers need.
	Windows Windows
	// ClassesInOX makes new groups groups of Open-Xchange as well (isOxGroup).
	// Without it they are marked as none, lest UDM makes them so.
	ClassesInOX bool
	// BesideUDM guards against UDM and UCS@school's importer where they make
	// accounts and groups at the same time. Around each create UDM's own locks on
	// user name and address are held; uid and gid numbers come from a range that
	// UDM does not reach (from 500000 on, counted in entries of our own); the
	// importer's name counters are raised. It takes six requests more for each
	// new account.
	BesideUDM bool

	// Write says over which path accounts are written; empty: WriteLDAP.
	Write WriteMode
	// UDM is the client of UDM's REST API that WriteUDM and WriteAuto need.
	UDM *udm.Client
	// StateProperty is the extended attribute of users/user that a site has made
	// for StateAttribute. With it UDM makes accounts with their life-cycle text;
	// without it the text follows by LDAP a moment later.
	StateProperty string

	// Logger gets warnings; nil: none. It never sees names or addresses.
	Logger *slog.Logger
	// Observer, if set, hears of every request.
	Observer Observer
}

// Client reads and writes the accounts of one UCS@school domain. It is safe
// for concurrent use and implements [schoolmail.Directory].
type Client struct {
	opts  Options
	names layout.Names
	pool  *pool

	mu     sync.Mutex // guards the fields below; held while they are loaded
	domain *domain

	// udmPatience is how long one waits for a lock that UDM keeps for minutes,
	// as it does after a create that was refused.
	udmPatience time.Duration

	regroupings *gather[regrouping, struct{}]
	lookups     lookups
	uids        *numbers
	gids        *numbers
	locks       keyedLocks
}

var _ schoolmail.Directory = (*Client)(nil)

// New makes a client of the server at rawURL, "ldap://host:port" or
// "ldaps://host:port" (ports 7389 and 7636 if left out, as on UCS). Nothing is
// sent before the first call.
func New(rawURL string, opts *Options) (*Client, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.PoolSize == 0 {
		o.PoolSize = 8
	}
	o.PoolSize = max(o.PoolSize, 2)
	if o.PageSize <= 0 {
		o.PageSize = 1000
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.StateAttribute == "" {
		o.StateAttribute = "univentionFreeAttribute20"
	}
	if o.Scheme == "" {
		o.Scheme = Crypt
	}
	if o.Stamps == "" {
		o.Stamps = StampsHold
	}
	if o.Stamps != StampsHold && o.Stamps != StampsAdopt {
		return nil, fmt.Errorf("ucs: unknown way to read stamps %q", o.Stamps)
	}
	if o.Write == "" {
		o.Write = WriteLDAP
	}
	switch {
	case o.Write != WriteLDAP && o.Write != WriteUDM && o.Write != WriteAuto:
		return nil, fmt.Errorf("ucs: unknown way to write %q", o.Write)
	case o.Write != WriteLDAP && o.UDM == nil:
		return nil, fmt.Errorf("ucs: to write %q a client of UDM is needed", o.Write)
	}
	o.OXProfiles = maps.Clone(o.OXProfiles)
	if o.Scheme != Crypt && o.Scheme != SSHA {
		return nil, fmt.Errorf("ucs: unknown password scheme %q", o.Scheme)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p, err := newPool(rawURL, &o)
	if err != nil {
		return nil, err
	}
	c := &Client{opts: o, pool: p, names: withDefaults(layout.Names(o.Tree)), udmPatience: 5 * time.Second}
	p.opts = &c.opts
	c.regroupings = newGather(maxMembers, groupLinger, c.changeGroups)
	c.lookups = newLookups(c)
	c.uids = &numbers{c: c, name: "uidNumber", own: 500000}
	c.gids = &numbers{c: c, name: "gidNumber", own: 750000}
	return c, nil
}

func withDefaults(n layout.Names) layout.Names {
	d := layout.Defaults
	for _, p := range []struct{ have, def *string }{
		{&n.Pupils, &d.Pupils}, {&n.Teachers, &d.Teachers}, {&n.Staff, &d.Staff}, {&n.TeachersAndStaff, &d.TeachersAndStaff},
		{&n.Admins, &d.Admins}, {&n.Classes, &d.Classes}, {&n.Rooms, &d.Rooms}, {&n.Exam, &d.Exam},
	} {
		if *p.have == "" {
			*p.have = *p.def
		}
	}
	return n
}

// Close gives back reserved numbers and ends all connections. Calls that are
// under way fail.
func (c *Client) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c.uids.release(ctx)
	c.gids.release(ctx)
	c.pool.close()
	return nil
}

// Stats returns how many requests were sent so far.
func (c *Client) Stats() Stats { return c.pool.stats() }

// domain is what is read once: the base, the domain's security identifier and
// realm, and the schools.
type domain struct {
	base, sid, realm string
	retired          string             // container of the retired names
	schools          map[string]*school // by lower-case name
	mailDomains      map[string]bool
	policies         *pwPolicies     // nil: not read yet
	schema           map[string]bool // what it offers; nil: not read yet
	addressClasses   []string        // object classes of what has an address
}

// school is an organisational unit.
type school struct {
	id      schoolmail.SchoolID // in the spelling of the OU
	dn, ndn string
	display string
	groups  map[string]*group // by normalised DN; nil: not read yet
}

type group struct {
	dn  string
	gid string
	sid string
}

// load returns the domain, reading it at first use. The caller must not
// change it without holding c.mu.
func (c *Client) load(ctx context.Context) (*domain, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.domain != nil {
		return c.domain, nil
	}
	d := &domain{base: c.opts.BaseDN, schools: map[string]*school{}, mailDomains: map[string]bool{}}
	if d.base == "" {
		root, err := c.get(ctx, "", "namingContexts")
		if err != nil {
			return nil, err
		}
		if root == nil || root.value("namingContexts") == "" {
			return nil, invalid("the server names no naming context: set the base DN")
		}
		d.base = root.value("namingContexts")
	}
	base, err := c.get(ctx, d.base, "krb5RealmName")
	if err != nil {
		return nil, err
	}
	if base == nil {
		return nil, &Error{Kind: ErrNotFound, Err: fmt.Errorf("base DN %q does not exist, or the account in [directory] "+
			"may not read it", d.base)}
	}
	if d.realm = base.value("krb5RealmName"); d.realm == "" {
		d.realm = realmOf(d.base)
	}
	if d.retired = c.opts.RetiredDN; d.retired == "" {
		d.retired = "cn=retired-names,cn=ucsschool,cn=univention," + d.base
	}
	list, err := c.find(ctx, query{d.base, ldap.ScopeWholeSubtree,
		"(|(objectClass=ucsschoolOrganizationalUnit)(objectClass=sambaDomain)(objectClass=univentionMailDomainname))",
		[]string{"objectClass", "ou", "displayName", "sambaSID", "cn"}})
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		switch {
		case e.has("objectClass", "sambaDomain"):
			d.sid = e.value("sambaSID")
		case e.has("objectClass", "univentionMailDomainname"):
			for _, n := range e.values("cn") {
				d.mailDomains[strings.ToLower(n)] = true
			}
		default:
			s := &school{id: schoolmail.SchoolID(e.value("ou")), dn: e.dn, ndn: normDN(e.dn), display: e.value("displayName")}
			d.schools[strings.ToLower(e.value("ou"))] = s
		}
	}
	c.domain = d
	return d, nil
}

// reload forgets what was read once, so that schools made by others are seen.
func (c *Client) reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.domain = nil
}

func realmOf(base string) string {
	var labels []string
	for part := range strings.SplitSeq(base, ",") {
		if t, v, ok := strings.Cut(part, "="); ok && strings.EqualFold(strings.TrimSpace(t), "dc") {
			labels = append(labels, v)
		}
	}
	return strings.ToUpper(strings.Join(labels, "."))
}

// Schools returns the schools of the domain, sorted.
func (c *Client) Schools(ctx context.Context) ([]schoolmail.SchoolID, error) {
	c.reload()
	d, err := c.load(ctx)
	if err != nil {
		return nil, wrap("read schools", "", err)
	}
	var out []schoolmail.SchoolID
	for _, s := range d.schools {
		out = append(out, s.id)
	}
	slices.Sort(out)
	return out, nil
}

// keyedLocks serialise work on one thing.
type keyedLocks struct {
	mu sync.Mutex
	m  map[string]chan struct{}
}

func (k *keyedLocks) lock(ctx context.Context, key string) (unlock func(), err error) {
	k.mu.Lock()
	if k.m == nil {
		k.m = map[string]chan struct{}{}
	}
	ch := k.m[key]
	if ch == nil {
		ch = make(chan struct{}, 1)
		k.m[key] = ch
	}
	k.mu.Unlock()
	select {
	case ch <- struct{}{}:
		return func() { <-ch }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func newUUID() string {
	b := randomBytes(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
