package ox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/limiter"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/internal/waits"
)

// Options are the settings of a [Client]. The zero value works; a nil *Options
// does too.
type Options struct {
	// HTTPClient sends the requests. The default keeps connections alive, checks
	// TLS certificates and uses no proxy. It needs no Timeout: calls are limited by their context and
	// by the timeouts below. Redirects are not followed, whatever it says: requests
	// carry passwords.
	HTTPClient *http.Client
	// Timeout limits one request; 2 minutes when zero.
	Timeout time.Duration
	// LongTimeout limits one request of the operations that work synchronously on
	// large data: copying and deleting users, deleting a context, rewriting the
	// access of a whole context. 30 minutes when zero.
	LongTimeout time.Duration
	// ChunkSize is the number of objects that one getMultipleData call reads; 300
	// when zero. A user costs the server about 4 ms and 11 KB.
	ChunkSize int
	// MaxInFlight bounds the requests under way at one server; 32 when zero. The
	// actual bound starts at 8 and adapts to the server's health below that.
	MaxInFlight int
	// Retries is how often a request is repeated, where repeating is safe, when its
	// answer is lost or makes no sense. 5 when zero. When negative nothing is
	// repeated, and no server is waited for.
	Retries int
	// ServerWait is how long a server is waited for that cannot be reached, is
	// starting, or is said to be unavailable by something in front of it; 3 minutes
	// when zero: OX needs one to two to start again; not at all when negative. The time counts from the first
	// call that found it so; when it is spent, later calls fail after one try.
	ServerWait time.Duration
	// LockWait is how long a call waits for another writer in the same context
	// (one that does not go through this client); 5 minutes when zero.
	LockWait time.Duration
	// DatabaseUpdateWait is how long a schema that is being updated is waited for;
	// 15 minutes when zero. The time counts from the first call that found it so.
	DatabaseUpdateWait time.Duration
	// CopyWait is how long the client looks for a copied user whose answer got lost;
	// 5 minutes when zero. The server may still be at work on him, so nobody else
	// is copied meanwhile.
	CopyWait time.Duration
	// CopyLock, if not nil, is held around each copy of a user: a lock that all
	// programs share which copy users in the installation. It waits as long as ctx
	// lets it.
	CopyLock func(ctx context.Context) (unlock func(), err error)
	// BypassAccessChecks says that the server runs with
	// com.openexchange.admin.bypassAccessCombinationChecks=true, so that
	// [Access.Check], which is applied before access is sent, allows what that allows.
	BypassAccessChecks bool
	// Observer is told of waits that last longer than five seconds. May be nil.
	Observer Observer
	// Logger gets a line for each retry, without personal data. Nothing is logged
	// when nil.
	Logger *slog.Logger
	// UserAgent is the User-Agent header of the requests.
	UserAgent string
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	set(&out.Timeout, 2*time.Minute)
	set(&out.LongTimeout, 30*time.Minute)
	set(&out.ChunkSize, 300)
	set(&out.MaxInFlight, 32)
	set(&out.Retries, 5)
	set(&out.ServerWait, 3*time.Minute)
	set(&out.LockWait, 5*time.Minute)
	set(&out.DatabaseUpdateWait, 15*time.Minute)
	set(&out.CopyWait, 5*time.Minute)
	if out.Logger == nil {
		out.Logger = slog.New(slog.DiscardHandler)
	}
	hc := http.Client{}
	if out.HTTPClient != nil {
		hc = *out.HTTPClient
	} else {
		tr := http.DefaultTransport.(*http.Transport).Clone()
		tr.MaxIdleConnsPerHost, tr.Proxy, tr.ReadBufferSize = out.MaxInFlight, nil, readBuffer
		hc.Transport = tr
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	out.HTTPClient = &hc
	return out
}

// readBuffer is what is read of a connection at once, in bytes. Users come in answers of
// many megabytes, and those in chunks of a few kilobytes.
const readBuffer = 128 << 10

// set gives a setting its default.
func set[T comparable](v *T, dflt T) {
	var zero T
	if *v == zero {
		*v = dflt
	}
}

// Client talks to an Open-Xchange installation as the master administrator and
// hands out [ContextClient]s. It is safe for use by several goroutines; use one
// for the whole installation, because its scheduler is what keeps user copies
// and user writes from disturbing each other.
type Client struct {
	// Contexts makes, changes and removes contexts.
	Contexts *Contexts
	// Cluster administers what lies below the contexts: servers, databases, file stores.
	Cluster *Cluster

	opt      Options
	master   Credentials
	servers  cluster
	lanes    lanes
	copies   lanes         // one lane for the whole installation, key 0
	creates  lanes         // of contexts: likewise
	doubt    *doubtfulCopy // guarded by copies
	schemas  schemas
	waits    waits.Board
	counters counters
	hasCopy  atomic.Bool // the servers are known to copy
}

// New returns a client for the servers of one installation. endpoints are the
// addresses of their web services, for example
// "https://ox1.example/webservices"; what the WSDL advertises as address plays no
// part. master is the master administrator, usually oxadminmaster. New does not
// talk to the servers; [Client.Ping] does.
func New(endpoints []string, master Credentials, opts *Options) (*Client, error) {
	if len(endpoints) == 0 {
		return nil, errors.New("ox: no endpoint given")
	}
	c := &Client{opt: opts.withDefaults(), master: master}
	c.waits.Tell = tell(c.opt.Observer)
	c.schemas.first, c.schemas.max = time.Second, time.Minute
	c.schemas.board, c.schemas.limit = &c.waits, c.opt.DatabaseUpdateWait
	c.Contexts = &Contexts{c: c}
	c.Cluster = &Cluster{c: c}
	for _, address := range endpoints {
		sc, err := soap.NewClient(address, &soap.Options{
			HTTPClient: c.opt.HTTPClient,
			UserAgent:  c.opt.UserAgent,
			Observe:    c.counters.observe,
		})
		if err != nil {
			return nil, fmt.Errorf("ox: endpoint %q: %w", redactURL(address), err)
		}
		c.servers = append(c.servers, &endpoint{
			client: sc, name: redactURL(address), limit: limiter.New(8, c.opt.MaxInFlight),
		})
	}
	return c, nil
}

// redactURL removes user info from an address.
func redactURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(not a URL)"
	}
	u.User = nil
	return u.String()
}

// CloseIdleConnections closes connections that are not in use.
func (c *Client) CloseIdleConnections() { c.opt.HTTPClient.CloseIdleConnections() }

// Context returns a client for what lies in one context, with the credentials
// of the context's administrator. (With MASTER_ACCOUNT_OVERRIDE=true on the
// server the master's do as well.) It does not talk to the server.
func (c *Client) Context(id schoolmail.ContextID, admin Credentials) *ContextClient {
	cc := &ContextClient{c: c, id: id, cred: admin}
	cc.Users = &Users{cc}
	cc.Groups = &Groups{cc}
	cc.Resources = &Resources{cc}
	cc.Accounts = &Accounts{cc}
	cc.Jobs = &Jobs{c: c, id: id, cred: admin}
	return cc
}

// ContextClient works within one context as its administrator.
type ContextClient struct {
	Users     *Users
	Groups    *Groups
	Resources *Resources
	Accounts  *Accounts // secondary mail accounts (functional mailboxes)
	Jobs      *Jobs     // background jobs of this context

	c    *Client
	id   schoolmail.ContextID
	cred Credentials
}

// ID returns the context's number.
func (cc *ContextClient) ID() schoolmail.ContextID { return cc.id }

// Ping asks whether the context administrator's credentials are right. It
// changes nothing.
func (cc *ContextClient) Ping(ctx context.Context) error {
	_, err := cc.Users.Exists(ctx, UserRef{Name: cc.cred.Login})
	return err
}

// Ping asks whether the servers can be reached and the master's credentials are
// right. It changes nothing.
func (c *Client) Ping(ctx context.Context) error {
	for _, err := range c.Contexts.Page(ctx, "*", 0, 1) {
		if err != nil {
			return err
		}
	}
	return nil
}

// As returns a client of the same context with other credentials, for example
// those of a user, who may read and change himself.
func (cc *ContextClient) As(cred Credentials) *ContextClient { return cc.c.Context(cc.id, cred) }
