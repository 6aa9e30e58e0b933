package oxtest

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"runtime/debug"
	"sync"
)

// HTTPClient returns a client whose requests reach the server without a socket,
// whatever host they name: faster than a listener, and fit for testing/synctest,
// which cannot wait for the network. Answers stream as over a connection;
// resets and cut-off bodies show as errors.
func (s *Server) HTTPClient() *http.Client {
	return &http.Client{
		Transport:     inProcess{s},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type inProcess struct{ s *Server }

// errReset is a connection that the server dropped before it answered.
var errReset = errors.New("oxtest: connection reset by peer")

var errRefused = errors.New("oxtest: connection refused")

func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.s.outage.now() == down {
		if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GetConn != nil {
			trace.GetConn(req.URL.Host)
		}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errRefused}
	}
	ctx, cancel := context.WithCancel(req.Context())
	in := req.Clone(ctx)
	in.RequestURI, in.RemoteAddr = req.URL.RequestURI(), "127.0.0.1:1"
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: pw, ready: make(chan struct{})}
	go func() {
		defer func() {
			err := io.EOF
			if p := recover(); p != nil {
				err = io.ErrUnexpectedEOF
				if p != http.ErrAbortHandler { // as net/http's own server does
					log.Printf("oxtest: panic serving %s: %v\n%s", in.URL.Path, p, debug.Stack())
				}
			}
			in.Body.Close()
			w.finish(err == io.EOF)
			pw.CloseWithError(err)
		}()
		t.s.ServeHTTP(w, in)
	}()
	select {
	case <-w.ready:
	case <-ctx.Done():
		pr.CloseWithError(ctx.Err())
		cancel()
		return nil, context.Cause(req.Context())
	}
	if w.status == 0 {
		cancel()
		return nil, errReset
	}
	stop := context.AfterFunc(req.Context(), func() { pr.CloseWithError(context.Cause(req.Context())) })
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: &pipeBody{pr, func() { stop(); cancel() }}, ContentLength: -1, Request: req,
	}, nil
}

// pipeBody is an answer's body; closing it ends the request's context.
type pipeBody struct {
	*io.PipeReader
	done func()
}

func (b *pipeBody) Close() error {
	b.done()
	return b.PipeReader.Close()
}

// pipeWriter is the handler's end of an answer.
type pipeWriter struct {
	header, sent http.Header
	status       int
	body         *io.PipeWriter
	once         sync.Once
	ready        chan struct{}
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	})
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// Flush does nothing: a pipe holds nothing back.
func (w *pipeWriter) Flush() {}

// finish ends an answer that has no body, or was dropped before it began.
func (w *pipeWriter) finish(complete bool) {
	w.once.Do(func() {
		if complete {
			w.status, w.sent = http.StatusOK, w.header.Clone()
		}
		close(w.ready)
	})
}
