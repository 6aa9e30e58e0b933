package dovecot

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/limiter"
)

// Options are what [New] may be told. The zero value works, except that the
// server will want an API key or a password.
type Options struct {
	// APIKey is the server's doveadm_api_key. Password is its
	// doveadm_password, used when there is no key. The user name of the
	// password is always "doveadm"; it cannot be chosen.
	APIKey, Password schoolmail.Secret

	// Hosts are the URLs of the other hosts of a cluster. Commands about mail
	// go to the URL given to New alone, which should be a proxy or director;
	// what each host knows only for itself is asked of all of them: sessions
	// ([Client.Who], [Client.Kick]), authentication caches
	// ([Client.FlushAuthCache]) and files ([Client.DeleteHome]).
	Hosts []string

	// MailRoot is the directory below which all homes lie, "/var/spool/dovecot/private".
	// [Client.DeleteHome] refuses everything that is not below it, and
	// everything when it is empty.
	MailRoot string

	// QuotaDict is the dict that the userdb reads storage limits from, in the
	// words of the server's configuration: a URI such as "proxy::quota", or with
	// Dovecot 2.4 the name of the block that the dict is in, such as "quota_clone".
	// [Client.SetQuota] and [Client.Ensure] write to it. Empty: limits are the
	// directory's business.
	QuotaDict string

	// Concurrency is the number of requests under way at a time per host; 8
	// when 0. Each one costs the server a process (service doveadm has
	// process_limit 100 unless configured).
	Concurrency int

	// HTTPClient sends the requests. When nil, New makes one with TLS as its
	// TLS configuration, a dial timeout of 10 s and no limit on the answer,
	// since commands such as backup may run for hours: limit calls by their
	// context. It uses no proxy. Redirects are never followed. One of your own
	// must not have DisableKeepAlives set: Dovecot 2.3.19 then leaves a request
	// with a wrong key without an answer.
	HTTPClient *http.Client
	// TLS is used when HTTPClient is nil; nil means the system's certificates.
	TLS *tls.Config

	// MaxAnswer limits an answer, in bytes; 64 MiB when 0.
	MaxAnswer int64

	// Logger receives one debug record per request: command, host, duration,
	// outcome, and no personal data. Nil discards.
	Logger *slog.Logger
}

// Client talks to the doveadm HTTP API of one Dovecot host or cluster. It may
// be used by many goroutines at once.
type Client struct {
	hosts     []*host           // hosts[0] is the one for mail
	authorize func(http.Header) // a function, since printing a Client would show a string
	http      *http.Client
	maxAnswer int64
	mailRoot  string
	quotaDict string
	log       *slog.Logger

	infoLock chan struct{} // of one: whoever waits for it can be called off
	info     *ServerInfo

	stats counters
}

// host is one server with its own limit of requests under way.
type host struct {
	url   string // ends in /doveadm/v1
	name  string // host:port, for errors
	limit *limiter.Limiter
}

// New returns a client of the API at baseURL, such as
// "https://mail.school.example:8443"; the path /doveadm/v1 is added when
// missing. It does not connect. Over plain http the key crosses the network in
// the clear: that is for loopback and closed networks.
func New(baseURL string, opts *Options) (*Client, error) {
	if opts == nil {
		opts = &Options{}
	}
	c := &Client{http: httpClient(opts), authorize: func(http.Header) {}, infoLock: make(chan struct{}, 1),
		maxAnswer: opts.MaxAnswer, mailRoot: opts.MailRoot, quotaDict: opts.QuotaDict, log: opts.Logger}
	if c.maxAnswer <= 0 {
		c.maxAnswer = 64 << 20
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	slots := opts.Concurrency
	if slots <= 0 {
		slots = 8
	}
	for _, u := range append([]string{baseURL}, opts.Hosts...) {
		h, err := newHost(u, slots)
		if err != nil {
			return nil, err
		}
		c.hosts = append(c.hosts, h)
	}
	switch {
	case opts.APIKey != "":
		c.authorize = authorization("X-Dovecot-API " + base64.StdEncoding.EncodeToString([]byte(opts.APIKey.Reveal())))
	case opts.Password != "":
		c.authorize = authorization("Basic " + base64.StdEncoding.EncodeToString([]byte("doveadm:"+opts.Password.Reveal())))
	}
	c.stats.commands = map[string]int64{}
	return c, nil
}

func authorization(value string) func(http.Header) {
	return func(h http.Header) { h.Set("Authorization", value) }
}

func httpClient(o *Options) *http.Client {
	var hc http.Client
	if o.HTTPClient != nil {
		hc = *o.HTTPClient
	} else {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = o.TLS.Clone()
		t.Proxy = nil // the environment's would see the key
		// Dovecot closes every connection after one answer. It must not be asked
		// to: 2.3.19 answers "Connection: close" with a wrong key by silence.
		hc.Transport = t
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hc
}

func newHost(raw string, slots int) (*host, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("dovecot: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("dovecot: %q is not an http or https URL", u.Redacted())
	}
	if u.User != nil {
		return nil, fmt.Errorf("dovecot: URL of %s contains a user: give the key or password in Options", u.Host)
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/doveadm/v1") + "/doveadm/v1"
	u.RawQuery, u.Fragment = "", ""
	return &host{url: u.String(), name: u.Host, limit: limiter.New(slots, slots)}, nil
}

// Hosts returns host:port of every host, the one for mail first.
func (c *Client) Hosts() []string {
	names := make([]string, len(c.hosts))
	for i, h := range c.hosts {
		names[i] = h.name
	}
	return names
}

// Stats counts what a client has done.
type Stats struct {
	Requests int64            // HTTP requests, GET included
	Failed   int64            // requests without a usable answer
	Unknown  int64            // of these, with unknown outcome
	Commands map[string]int64 // commands sent, by name
}

type counters struct {
	requests, failed, unknown atomic.Int64
	mu                        sync.Mutex
	commands                  map[string]int64
}

// Stats returns the counters so far.
func (c *Client) Stats() Stats {
	c.stats.mu.Lock()
	defer c.stats.mu.Unlock()
	return Stats{
		Requests: c.stats.requests.Load(),
		Failed:   c.stats.failed.Load(),
		Unknown:  c.stats.unknown.Load(),
		Commands: maps.Clone(c.stats.commands),
	}
}

// send makes one HTTP request and returns the body of a 200 response. The
// error has no Op yet.
func (c *Client) send(ctx context.Context, h *host, method string, body []byte) ([]byte, *Error) {
	if h.limit.Acquire(ctx) != nil {
		return nil, notSent(ctx, h)
	}
	defer h.limit.Return()
	c.stats.requests.Add(1)
	out, err := c.roundTrip(ctx, h, method, body)
	if err != nil {
		err.Host, err.cancelled = h.name, ctx.Err() == context.Canceled
		c.stats.failed.Add(1)
		if err.Kind == ErrUnknownOutcome {
			c.stats.unknown.Add(1)
		}
	}
	return out, err
}

// notSent is the error of a call whose context ended while it waited.
func notSent(ctx context.Context, h *host) *Error {
	return &Error{Host: h.name, Kind: ErrUnavailable, Err: context.Cause(ctx), cancelled: ctx.Err() == context.Canceled}
}

func (c *Client) roundTrip(ctx context.Context, h *host, method string, body []byte) ([]byte, *Error) {
	// Whether anything was sent decides between "not reached" and "outcome
	// unknown". The hook runs before the header bytes are flushed.
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaderField: func(string, []string) { sent.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, method, h.url, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Kind: ErrInvalid, Err: err}
	}
	c.authorize(req.Header)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		// The URL in the error would only repeat the host.
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if sent.Load() {
			return nil, &Error{Kind: ErrUnknownOutcome, Err: err}
		}
		return nil, &Error{Kind: ErrUnavailable, Err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
		e := &Error{Kind: statusKind(resp.StatusCode), Status: resp.StatusCode}
		if s := strings.TrimSpace(string(text)); s != "" && resp.StatusCode == http.StatusBadRequest {
			e.Err = errors.New(strings.ToValidUTF8(s, "?"))
		}
		return nil, e
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, c.maxAnswer+1))
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, &Error{Kind: ErrUnknownOutcome, Status: resp.StatusCode, Err: err}
	}
	if int64(len(data)) > c.maxAnswer {
		return nil, &Error{Kind: ErrProtocol, Status: resp.StatusCode,
			Err: fmt.Errorf("answer longer than %d bytes", c.maxAnswer)}
	}
	return data, nil
}

func statusKind(status int) Kind {
	switch status {
	case http.StatusBadRequest:
		return ErrInvalid
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusInternalServerError:
		return ErrConfig
	case http.StatusServiceUnavailable:
		return ErrUnavailable
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return ErrUnknownOutcome
	}
	return ErrProtocol
}

// post sends commands in one request and returns as many answers. An error is
// one of the whole request, without Op.
func (c *Client) post(ctx context.Context, h *host, calls []Call) ([]answer, *Error) {
	body, err := encode(calls)
	if err != nil {
		return nil, &Error{Host: h.name, Kind: ErrInvalid, Err: err}
	}
	c.stats.mu.Lock()
	for _, call := range calls {
		c.stats.commands[call.Command]++
	}
	c.stats.mu.Unlock()

	begin := time.Now()
	data, serr := c.send(ctx, h, http.MethodPost, body)
	outcome := "ok"
	if serr != nil {
		outcome = string(serr.Kind)
	}
	c.log.DebugContext(ctx, "doveadm", "command", calls[0].Command, "commands", len(calls), "host", h.name,
		"duration", time.Since(begin), "outcome", outcome)
	if serr != nil {
		return nil, serr
	}
	answers, err := parseAnswers(data)
	if err == nil && len(answers) != len(calls) {
		err = fmt.Errorf("%d answers to %d commands", len(answers), len(calls))
	}
	if err == nil {
		answers, err = byTag(answers)
	}
	if err != nil {
		return nil, &Error{Host: h.name, Kind: ErrProtocol, Status: http.StatusOK, Err: err}
	}
	return answers, nil
}

// byTag puts answers in the order of their commands. Dovecot answers in order;
// the tags say what belongs together all the same.
func byTag(answers []answer) ([]answer, error) {
	sorted := make([]answer, len(answers))
	for _, a := range answers {
		n, err := strconv.Atoi(a.tag)
		if err != nil || n < 1 || n > len(answers) || sorted[n-1].tag != "" {
			return nil, fmt.Errorf("unexpected answer with the tag %q", a.tag)
		}
		sorted[n-1] = a
	}
	return sorted, nil
}

// encode writes the request: [["command", {params}, "tag"], ...], the tags
// counting from 1.
func encode(calls []Call) ([]byte, error) {
	list := make([][3]any, len(calls))
	for i, call := range calls {
		// 2.3 takes an option that is there for one that is set: "recursive":
		// false deletes recursively.
		p := Params{}
		for k, v := range call.Params {
			if v != false {
				p[k] = v
			}
		}
		list[i] = [3]any{call.Command, p, strconv.Itoa(i + 1)}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(list); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
