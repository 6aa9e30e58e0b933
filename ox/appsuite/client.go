package appsuite

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/internal/waits"
)

// Options adjust a [Client]. The zero value is right for a stock server.
type Options struct {
	// HTTPClient supplies transport and timeout. Its Jar and CheckRedirect are
	// not used: each session has its own jar, and redirects are refused. The
	// default has a timeout of two minutes and uses no proxy.
	HTTPClient *http.Client

	// UserAgent is sent with every request; OX binds sessions to it and counts
	// rate limits by it. Default "schoolmail/1.0".
	UserAgent string

	// ClientName is the client identifier sent at login. It must differ from
	// UserAgent. Default "schoolmail".
	ClientName string

	// Rate paces requests. The zero Rate is OX's default limit.
	Rate Rate

	// BatchSize is the most entries that [Session.Write] and [Session.Listings] pack
	// into one request, 1 to 500. Default 500. A session begins with 100 and packs more
	// while the server answers within seconds, fewer where it is slow.
	BatchSize int

	// ImportChunk is the number of rows of one CSV upload, default 500.
	ImportChunk int

	// MaxFailedLogins is the number of refused logins after which the client
	// refuses to try any other. Default 10; OX locks out the address at 50.
	MaxFailedLogins int

	// ServerWait is how long a server is waited for that does not answer, where
	// asking again is safe; 3 minutes when zero (OX needs one to two to start again),
	// not at all when negative. The time counts from the first request that found it
	// so; when it is spent, later requests fail after one try.
	ServerWait time.Duration

	// UpdateWait is how long a context is waited for whose database schema is being
	// updated; 15 minutes when zero, not at all when negative. The time counts from
	// the first request that found it so.
	UpdateWait time.Duration

	// Observer is told of waits that last longer than five seconds. May be nil.
	Observer Observer

	// Logger gets one debug record per request (operation, status, duration; no
	// names) and a warning for each rate limit. Default: none.
	Logger *slog.Logger
}

// Client is an OX server's HTTP API. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	opts  Options
	pacer *pacer
	waits *waits.Board

	logins chan struct{} // token: one login at a time

	mu      sync.Mutex
	stats   Stats
	refused map[string]refusal // login name -> what was refused
	failed  int                // refused logins
}

// Stats counts what a client did since it was made.
type Stats struct {
	Requests map[string]int // HTTP requests by operation, e.g. "contacts all", "multiple"
	Items    map[string]int // operations carried inside "multiple" requests
	Retries  int            // requests repeated after a network error, an expired session or a rate limit
	Limited  int            // answers 429
	Logins   int            // login requests
	Sent     int64          // bytes of request bodies
	Received int64          // bytes of answers
	Waited   time.Duration  // time during which requests were held back by pacing, however many
}

// Total is the number of HTTP requests.
func (s Stats) Total() int {
	n := 0
	for _, v := range s.Requests {
		n += v
	}
	return n
}

// New prepares a client for the server at baseURL, the address of its HTTP API
// such as "https://ox.example.net/ajax/" or, on newer installations,
// "https://ox.example.net/appsuite/api/". Nothing is sent yet.
func New(baseURL string, opts *Options) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("appsuite: base URL %q is not an http or https address", baseURL)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("appsuite: base URL of %s must have no user, query or fragment", u.Host)
	}
	u = u.JoinPath("/")
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Timeout: 2 * time.Minute, Transport: defaultTransport()}
	}
	if o.UserAgent == "" {
		o.UserAgent = "schoolmail/1.0"
	}
	if o.ClientName == "" {
		o.ClientName = "schoolmail"
	}
	if o.UserAgent == o.ClientName {
		return nil, fmt.Errorf("appsuite: client name and User-Agent are both %q; OX refuses that (LGI-0021)", o.ClientName)
	}
	if o.BatchSize == 0 {
		o.BatchSize = 500
	}
	if o.BatchSize < 1 || o.BatchSize > 500 {
		return nil, fmt.Errorf("appsuite: batch size %d is not between 1 and 500", o.BatchSize)
	}
	if o.ImportChunk <= 0 {
		o.ImportChunk = 500
	}
	if o.MaxFailedLogins <= 0 {
		o.MaxFailedLogins = 10
	}
	if o.ServerWait == 0 {
		o.ServerWait = 3 * time.Minute
	}
	if o.UpdateWait == 0 {
		o.UpdateWait = 15 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	board := &waits.Board{Tell: tell(o.Observer)}
	return &Client{
		base: u, opts: o, waits: board, pacer: newPacer(o.Rate, board, u.Host), logins: make(chan struct{}, 1),
		stats:   Stats{Requests: map[string]int{}, Items: map[string]int{}},
		refused: map[string]refusal{},
	}, nil
}

// defaultTransport is Go's, with a connection kept for each of many sessions at
// work, and without a proxy from the environment, which would see passwords.
func defaultTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.Proxy = 16, nil
	return t
}

// Stats returns the counts so far.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	s := c.stats
	s.Requests = maps.Clone(s.Requests)
	s.Items = maps.Clone(s.Items)
	c.mu.Unlock()
	s.Waited = c.pacer.totalWaited()
	return s
}

func (c *Client) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

// urlFor is the address of a call.
func (c *Client) urlFor(module, action string, params url.Values) string {
	u := c.base.JoinPath(strings.Split(module, "/")...)
	q := url.Values{}
	maps.Copy(q, params)
	if action != "" {
		q.Set("action", action)
	}
	u.RawQuery = q.Encode()
	return u.String()
}
