package appsuite

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ictmedia/schoolmail/internal/retry"
)

// Request is a call that has no method of its own.
type Request struct {
	Method  string     // default GET, or PUT when there is a Body
	Module  string     // e.g. "folders", "user/me"
	Action  string     // e.g. "all"; may be empty
	Params  url.Values // without action and session
	Body    any        // sent as JSON; nil for none
	Subject string     // ids for error messages, e.g. "folder 6"

	// Plain says that the answer is no JSON envelope, as for exports and
	// "multiple". An envelope that comes all the same is read as one.
	Plain bool

	// ReadOnly says that repeating the call does no harm. Calls with GET are
	// always taken to be so.
	ReadOnly bool

	raw         []byte // body as it is, instead of Body
	contentType string
	accept      string
}

// Response is an answer as received.
type Response struct {
	Status      int
	ContentType string          // without parameters
	Data        json.RawMessage // "data" of the envelope; nil if there is none
	Timestamp   Timestamp       // of the envelope
	Warning     *Error          // a problem that did not keep the call from being carried out
	Body        []byte          // everything

	took time.Duration // from sending to the end of the answer
}

// maxBody bounds an answer. A folder of 8,000 contacts with all columns has some 10 MB.
const maxBody = 256 << 20

const (
	limitedTries = 4 // attempts after answers 429
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 10 * time.Second
)

func (rq *Request) op() string {
	if rq.Action == "" {
		return rq.Module
	}
	return rq.Module + " " + rq.Action
}

func (rq *Request) method() string {
	switch {
	case rq.Method != "":
		return rq.Method
	case rq.Body != nil || rq.raw != nil:
		return http.MethodPut
	}
	return http.MethodGet
}

// send carries out one call with the given HTTP client (which holds the
// session's cookies), paced, and repeated after 429 and where the server does not
// answer and asking again is safe: reads, and what was certainly not sent. The
// session is not renewed here.
func (c *Client) send(ctx context.Context, hc *http.Client, rq *Request, session string) (*Response, error) {
	params := url.Values{}
	for k, v := range rq.Params {
		params[k] = v
	}
	if session != "" {
		params.Set("session", session)
	}
	target := c.urlFor(rq.Module, rq.Action, params)
	body, contentType := rq.raw, rq.contentType
	if rq.Body != nil {
		b, err := json.Marshal(rq.Body)
		if err != nil {
			return nil, &Error{Op: rq.op(), Subject: rq.Subject, Kind: ErrInvalid, Err: err}
		}
		body, contentType = b, "application/json; charset=UTF-8"
	}
	readOnly := rq.ReadOnly || rq.method() == http.MethodGet
	limited, wait := 0, time.Duration(0)
	for {
		resp, err := c.sendOnce(ctx, hc, rq, target, body, contentType, readOnly)
		if err == nil || err.Code != "" {
			c.waits.Free(c.serverWait())
		}
		if err == nil {
			return resp, nil
		}
		switch {
		case err.Kind == ErrLimited && err.Status == http.StatusTooManyRequests:
			limited++
			c.pacer.pause(err.RetryAfter)
			c.count(func(s *Stats) { s.Limited++ })
			c.opts.Logger.Warn("rate limit of the server reached", "op", rq.op(), "retry_after", err.RetryAfter)
			if deadline, ok := ctx.Deadline(); limited >= limitedTries || (ok && time.Until(deadline) < err.RetryAfter) {
				return nil, err
			}
		case c.away(err, readOnly) && ctx.Err() == nil && !c.waits.Spent(c.serverWait(), c.opts.ServerWait):
			wait = retry.Grow(wait, firstBackoff, maxBackoff)
			if serr := c.waits.Pause(ctx, c.serverWait(), wait, c.opts.ServerWait); serr != nil {
				return resp, err
			}
		default:
			return resp, err
		}
		c.count(func(s *Stats) { s.Retries++ })
	}
}

// away reports whether an error says that the server is not there at the moment,
// and asking again does no harm.
func (c *Client) away(e *Error, readOnly bool) bool {
	if e.Code != "" {
		return false
	}
	if e.Status == http.StatusNotFound {
		return c.waits.Going(c.serverWait()) // it is back, and not everything has started
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](e.Err)
	return e.Kind == ErrUnavailable && (readOnly || e.Status == 0) && !untrusted &&
		!errors.Is(e.Err, http.ErrSchemeMismatch)
}

func (c *Client) sendOnce(ctx context.Context, hc *http.Client, rq *Request, target string, body []byte,
	contentType string, readOnly bool) (*Response, *Error) {
	fail := func(kind Kind, status int, cause error) *Error {
		return &Error{Op: rq.op(), Subject: rq.Subject, Kind: kind, Status: status, Err: cause}
	}
	if err := c.pacer.wait(ctx); err != nil {
		e := fail(ErrNotSent, 0, err)
		if w, ok := errors.AsType[*Error](err); ok {
			e.Kind, e.RetryAfter, e.Err = w.Kind, w.RetryAfter, w.Err
		}
		return nil, e
	}
	// Without a connection nothing was sent; a transport that does not say is
	// taken to have sent.
	var asked, got atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
	})
	sent := func() bool { return got.Load() || !asked.Load() }
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(traced, rq.method(), target, reader)
	if err != nil {
		return nil, fail(ErrInvalid, 0, errors.New("address cannot be built"))
	}
	req.Header.Set("User-Agent", c.opts.UserAgent)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if rq.accept != "" {
		req.Header.Set("Accept", rq.accept)
	}
	c.count(func(s *Stats) { s.Requests[rq.op()]++; s.Sent += int64(len(body)) })
	// Once sent, a write with no readable answer may have happened.
	lost := func(status int, cause error) *Error {
		switch {
		case !sent() && ctx.Err() != nil:
			return fail(ErrNotSent, 0, cause)
		case readOnly || !sent():
			return fail(ErrUnavailable, status, cause)
		}
		return fail(ErrUncertain, status, cause)
	}
	start := time.Now()
	resp, err := hc.Do(req)
	if err != nil {
		return nil, lost(0, withoutURL(err))
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	c.count(func(s *Stats) { s.Received += int64(len(content)) })
	c.opts.Logger.Debug("ox request", "op", rq.op(), "status", resp.StatusCode, "duration", time.Since(start))
	if err != nil {
		return nil, lost(resp.StatusCode, withoutURL(err))
	}
	if len(content) > maxBody {
		return nil, lost(resp.StatusCode, fmt.Errorf("answer is longer than %d bytes", maxBody))
	}
	out := &Response{Status: resp.StatusCode, Body: content, took: time.Since(start)}
	out.ContentType, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		e := fail(ErrLimited, resp.StatusCode, nil)
		e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now(), c.pacer.per)
		return nil, e
	case resp.StatusCode == http.StatusForbidden && rq.Plain && rq.Module != "multiple":
		// So OX says that a session is gone where it does not answer with JSON.
		return out, fail(ErrSession, resp.StatusCode, nil)
	case resp.StatusCode == http.StatusForbidden:
		// Not from OX, but from something in front of it.
		return out, fail(ErrPermission, resp.StatusCode, nil)
	case resp.StatusCode == http.StatusNotFound:
		return out, fail(ErrNotFound, resp.StatusCode, errors.New("the server has no such module"))
	case resp.StatusCode == http.StatusBadRequest:
		return out, fail(ErrInvalid, resp.StatusCode, nil)
	case resp.StatusCode == http.StatusServiceUnavailable:
		return out, fail(ErrUnavailable, resp.StatusCode, nil)
	case resp.StatusCode == http.StatusInternalServerError && readOnly:
		// OX answers so to an export without the right to read.
		return out, fail(ErrOther, resp.StatusCode, errors.New("internal error of the server"))
	case resp.StatusCode >= 500:
		return out, lost(resp.StatusCode, nil)
	case resp.StatusCode >= 300:
		return out, fail(ErrProtocol, resp.StatusCode, errors.New("redirects are not followed"))
	}
	if rq.Plain && !looksLikeEnvelope(content) {
		return out, nil
	}
	env, err := parseEnvelope(content)
	if err != nil {
		return out, lost(resp.StatusCode, err).asProtocol()
	}
	out.Data, out.Timestamp = env.Data, Timestamp(env.Timestamp)
	if string(out.Data) == "null" {
		out.Data = nil
	}
	if problem, fatal := env.problem(); problem != nil {
		problem.Op, problem.Subject, problem.Status = rq.op(), rq.Subject, resp.StatusCode
		if fatal {
			return out, problem
		}
		out.Warning = problem
	}
	return out, nil
}

// asProtocol turns "unavailable" into "unexpected answer": an answer came, and
// asking again brings the same.
func (e *Error) asProtocol() *Error {
	if e.Kind == ErrUnavailable {
		e.Kind = ErrProtocol
	}
	return e
}

func looksLikeEnvelope(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 0 && b[0] == '{'
}

// withoutURL strips the address, which holds the session id, from an error.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// retryAfter reads the header: seconds or a date.
func retryAfter(h string, now time.Time, fallback time.Duration) time.Duration {
	h = strings.TrimSpace(h)
	if n, err := strconv.Atoi(h); err == nil && n >= 0 {
		return min(time.Duration(n)*time.Second, time.Hour)
	}
	if t, err := http.ParseTime(h); err == nil {
		return min(max(t.Sub(now), 0), time.Hour)
	}
	return fallback
}
