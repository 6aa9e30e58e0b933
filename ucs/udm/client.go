package udm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/limiter"
	"github.com/ictmedia/schoolmail/internal/retry"
)

// Module is a type of objects.
type Module string

// The modules that schools need.
const (
	Users          Module = "users/user"
	Groups         Module = "groups/group"
	OXContexts     Module = "oxmail/oxcontext"
	AccessProfiles Module = "oxmail/accessprofile"
)

// Options of a [Client]. nil and the zero value work.
type Options struct {
	// HTTPClient sends requests; nil: one with the system's roots, without a
	// proxy, that follows no redirects. Its CheckRedirect should follow none.
	HTTPClient *http.Client
	// MaxInFlight is the most requests at a time, which should be the number of
	// processes that the server works with: more only queue there. 0 means 2.
	MaxInFlight int
	// Timeout ends a single request; 0 means 5 minutes, which is as long as the
	// server itself waits.
	Timeout time.Duration
	// Patience is how long a request that the server turns away while it starts
	// (503) is tried again; 0 means a minute, below 0 that it is not.
	Patience time.Duration
	// Observer hears of every request.
	Observer Observer
}

// Observer hears of requests. Observe must be quick and safe for concurrent use.
type Observer interface{ Observe(Event) }

// ObserverFunc makes an Observer of a function.
type ObserverFunc func(Event)

// Observe calls the function.
func (f ObserverFunc) Observe(e Event) { f(e) }

// Event is one finished request.
type Event struct {
	Method   string
	Module   Module
	Status   int // 0: no answer
	Duration time.Duration
}

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	base     string // ends with /udm/
	user     string
	password schoolmail.Secret
	opts     Options
	slots    *limiter.Limiter
	requests atomic.Int64
}

// New makes a client of the API at baseURL, "https://HOST/univention/udm/". The
// user is one of the groups that may use the API (Domain Admins, as a rule), by
// user name. Nothing is sent before the first call.
func New(baseURL, user string, password schoolmail.Secret, opts *Options) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("udm: server address: expected https://HOST/univention/udm/")
	}
	for _, r := range user + password.Reveal() {
		if r > 0xff {
			return nil, errors.New("udm: user name and password must be Latin 1: the server cannot read others")
		}
	}
	c := &Client{base: strings.TrimSuffix(u.String(), "/") + "/", user: user, password: password}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.MaxInFlight <= 0 {
		c.opts.MaxInFlight = 2
	}
	if c.opts.Timeout <= 0 {
		c.opts.Timeout = 5 * time.Minute
	}
	if c.opts.Patience == 0 {
		c.opts.Patience = time.Minute
	}
	if c.opts.HTTPClient == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.Proxy = nil
		t.MaxIdleConnsPerHost = c.opts.MaxInFlight
		c.opts.HTTPClient = &http.Client{Transport: t,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	c.slots = limiter.New(c.opts.MaxInFlight, c.opts.MaxInFlight)
	return c, nil
}

// Close ends idle connections.
func (c *Client) Close() error {
	c.opts.HTTPClient.CloseIdleConnections()
	return nil
}

// Requests is the number of requests sent so far.
func (c *Client) Requests() int64 { return c.requests.Load() }

// call is one request on its way.
type call struct {
	op, subject string
	method      string
	module      Module
	path        string // below the base
	contentType string
	ifMatch     string
	body        any
	names       bool // gives names or addresses, which may be taken
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// maxAnswer is the largest answer that is read.
const maxAnswer = 64 << 20

// do sends a call. A server that turns it away because it is starting is asked
// again; nothing else is repeated.
func (c *Client) do(ctx context.Context, k call) (*answer, error) {
	var body []byte
	if k.body != nil {
		var err error
		if body, err = json.Marshal(k.body); err != nil {
			return nil, &Error{Op: k.op, Subject: k.subject, Kind: ErrInvalid, Err: err}
		}
	}
	if err := c.slots.Acquire(ctx); err != nil {
		return nil, err
	}
	defer c.slots.Return()
	for begin := time.Now(); ; {
		a, err := c.once(ctx, k, body)
		if err != nil || a.status != http.StatusServiceUnavailable || time.Since(begin) > c.opts.Patience {
			return a, err
		}
		wait := 3 * time.Second
		if n, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil && n >= 0 && n <= 60 {
			wait = time.Duration(n) * time.Second
		}
		if err := retry.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (c *Client) once(ctx context.Context, k call, body []byte) (*answer, error) {
	inner, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(inner, k.method, c.base+k.path, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Op: k.op, Subject: k.subject, Kind: ErrInvalid, Err: err}
	}
	if body == nil {
		req.Body = nil // the server refuses one where none belongs
		req.ContentLength = 0
	}
	req.SetBasicAuth(latin1(c.user), latin1(c.password.Reveal()))
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Language", "en-US")
	if body != nil {
		req.Header.Set("Content-Type", k.contentType)
	}
	if k.ifMatch != "" {
		req.Header.Set("If-Match", k.ifMatch)
	}
	c.requests.Add(1)
	begin := time.Now()
	a, err := c.send(req)
	if c.opts.Observer != nil {
		e := Event{Method: k.method, Module: k.module, Duration: time.Since(begin)}
		if a != nil {
			e.Status = a.status
		}
		c.opts.Observer.Observe(e)
	}
	switch {
	case err == nil:
		return a, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, &Error{Op: k.op, Subject: k.subject, Kind: ErrUnavailable, Sent: k.method != http.MethodGet, Err: err}
}

func (c *Client) send(req *http.Request) (*answer, error) {
	res, err := c.opts.HTTPClient.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address of the request holds a name
		}
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(b) > maxAnswer {
		err = errors.New("answer is too large")
	}
	return &answer{res.StatusCode, res.Header, b}, err
}

// latin1 turns text into the encoding that the server reads names and passwords
// in.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// failure makes an error of an answer that is no success.
func (k call) failure(a *answer) error {
	var r refusal
	json.Unmarshal(a.body, &r) // not all have a body, and that of 503 is a string
	l := r.location()
	return &Error{Op: k.op, Subject: k.subject, Kind: kindOf(a.status, l, k.names), Status: a.status, Location: l,
		RequestID: a.header.Get("X-Request-Id")}
}

func (m Module) object(dn string) string { return string(m) + "/" + url.PathEscape(dn) }
