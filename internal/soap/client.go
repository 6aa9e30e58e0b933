package soap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Options are the settings of a [Client]. The zero value works.
type Options struct {
	// HTTPClient sends the requests. The default has a transport of its own, with
	// keep-alive connections and TLS verification, and no time limit: limit a
	// call with its context. Redirects are not followed, whatever it says:
	// requests carry passwords.
	HTTPClient *http.Client
	// MaxAnswer limits the bytes of an answer that is decoded as a whole; 64 MiB
	// when zero.
	MaxAnswer int64
	// MaxStream limits the bytes of an answer that is handed over element by
	// element; 4 GiB when zero. No single element may be larger than MaxAnswer.
	MaxStream int64
	// UserAgent is the User-Agent header; Go's own when empty.
	UserAgent string
	// Observe, if not nil, is called once after each request, on the goroutine of
	// the call. It must not block.
	Observe func(Exchange)
}

// Exchange is what an observer learns of one HTTP request.
type Exchange struct {
	Op       *Operation
	Endpoint string // the address without user info
	Status   int    // 0 when there was no answer
	Sent     int64  // bytes of the request body
	Received int64  // bytes of the answer's body, after decompression
	Duration time.Duration
	Err      error
}

// Client calls the services of one server. It is safe for use by several
// goroutines and holds no state but its connections.
type Client struct {
	base *url.URL
	opt  Options
}

// NewClient returns a client for the services under base, for example
// "https://ox.example/webservices". The address that a WSDL advertises plays no
// part, since behind a proxy it is often wrong.
func NewClient(base string, opt *Options) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("soap: base address is no http or https URL")
	}
	c := &Client{base: u}
	if opt != nil {
		c.opt = *opt
	}
	hc := http.Client{}
	if c.opt.HTTPClient != nil {
		hc = *c.opt.HTTPClient
	} else {
		tr := http.DefaultTransport.(*http.Transport).Clone()
		tr.MaxIdleConnsPerHost, tr.Proxy = 64, nil
		hc.Transport = tr
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.opt.HTTPClient = &hc
	if c.opt.MaxAnswer <= 0 {
		c.opt.MaxAnswer = 64 << 20
	}
	if c.opt.MaxStream <= 0 {
		c.opt.MaxStream = 4 << 30
	}
	return c, nil
}

// Endpoint returns the address of a service.
func (c *Client) Endpoint(service string) string { return c.base.JoinPath(service).String() }

// CloseIdleConnections closes connections that are not in use.
func (c *Client) CloseIdleConnections() { c.opt.HTTPClient.CloseIdleConnections() }

// Call carries out one operation; see [Caller]. It sends exactly one request.
func (c *Client) Call(ctx context.Context, op *Operation, req, resp any) error {
	return c.Exchange(ctx, op, req, resp).Err
}

// Exchange is Call for those who want to know more of the request than its error.
func (c *Client) Exchange(ctx context.Context, op *Operation, req, resp any) Exchange {
	body, err := EncodeRequest(op, req)
	if err != nil {
		return Exchange{Op: op, Err: err}
	}
	ex := Exchange{Op: op, Endpoint: c.base.JoinPath(op.Service).Redacted(), Sent: int64(len(body))}
	start := time.Now()
	err = c.roundTrip(ctx, op, body, resp, &ex)
	ex.Duration, ex.Err = time.Since(start), err
	if c.opt.Observe != nil {
		c.opt.Observe(ex)
	}
	return ex
}

func (c *Client) roundTrip(ctx context.Context, op *Operation, body []byte, resp any, ex *Exchange) error {
	// A transport that asked for a connection and got none has sent nothing. One
	// that does not trace may have sent the request, unless it could not dial.
	var asked, connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	hreq, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint(op.Service), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("soap: %s: %w", op, err)
	}
	hreq.Header.Set("Content-Type", "text/xml; charset=utf-8")
	hreq.Header.Set("SOAPAction", `"`+op.Action+`"`)
	if c.opt.UserAgent != "" {
		hreq.Header.Set("User-Agent", c.opt.UserAgent)
	}
	hresp, err := c.opt.HTTPClient.Do(hreq)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the address
		}
		dial, ok := errors.AsType[*net.OpError](err)
		never := asked.Load() && !connected.Load() || ok && dial.Op == "dial"
		return &TransportError{Op: op, NotSent: never, Err: err}
	}
	defer hresp.Body.Close()
	ex.Status = hresp.StatusCode
	limit := c.opt.MaxAnswer
	if _, ok := resp.(Each); ok {
		limit = c.opt.MaxStream
	}
	r := &limitedReader{r: hresp.Body, left: limit}
	defer func() { ex.Received = limit - r.left }()
	switch {
	case hresp.StatusCode >= 200 && hresp.StatusCode <= 299:
	case hresp.StatusCode == http.StatusInternalServerError && isXML(hresp.Header.Get("Content-Type")):
	default:
		return &HTTPError{Op: op, Status: hresp.StatusCode, Text: extract(r, hresp.Header.Get("Content-Type"), body)}
	}
	err = decodeAnswer(op, r, resp, hresp.StatusCode, c.opt.MaxAnswer)
	_, isFault := err.(*Fault)
	if err == nil || isFault {
		// What is left is white space; reading it keeps the connection usable.
		if _, rest := io.Copy(io.Discard, io.LimitReader(r, 64<<10)); rest != nil && !isFault {
			err = &ProtocolError{Op: op, Reason: "answer is cut off", Err: rest}
		}
	}
	if err != nil && ctx.Err() != nil && isReadError(err) {
		return &TransportError{Op: op, Err: context.Cause(ctx)}
	}
	return err
}

// isReadError reports whether err is about the answer's arrival, which a
// cancelled context explains better.
func isReadError(err error) bool {
	var p *ProtocolError
	return errors.As(err, &p)
}

func isXML(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	return t == "text/xml" || t == "application/xml" || strings.HasSuffix(t, "+xml") || t == ""
}

// A limitedReader fails, instead of ending, where the limit is reached.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		// Only a byte beyond the limit is too many.
		var one [1]byte
		n, err := l.r.Read(one[:])
		if n > 0 {
			return 0, ErrTooLarge
		}
		return 0, err
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	return n, err
}
