package oxtest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/httpapi"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/soapapi"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/traffic"
)

// Server answers OX requests; it is an [http.Handler]. Make one with [New], or
// with [Start], which also listens.
type Server struct {
	state   *State
	mux     *http.ServeMux
	soap    *soapapi.API
	http    *httpapi.API
	traffic *traffic.Traffic
	outage  outage
}

// New returns a server with an empty installation: no contexts, one database,
// one file store.
func New(opts ...Option) *Server {
	w, t := state.New(state.Settings{MasterLogin: "oxadminmaster", MasterPassword: "secret"}), traffic.New()
	s := &Server{state: &State{w}, mux: http.NewServeMux(), soap: soapapi.New(w, t), http: httpapi.New(w, t), traffic: t}
	for _, o := range opts {
		o(s)
	}
	s.soap.Open()
	s.mux.Handle("/webservices/", s.soap)
	s.mux.Handle("/webservices", s.soap)
	s.mux.Handle("/", s.http)
	return s
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch s.outage.now() {
	case down:
		panic(http.ErrAbortHandler) // over a listener this is as near as it gets to a refused connection
	case starting:
		http.Error(w, "No service was found.", http.StatusNotFound)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// State returns what the installation holds.
func (s *Server) State() *State { return s.state }

// Close ends calls that hang or wait. It does not stop a listener; see
// [Instance.Close]. A second Close does nothing.
func (s *Server) Close() error {
	s.traffic.End()
	return nil
}

// Instance is a [Server] that listens on a loopback port.
type Instance struct {
	*Server
	// URL is the root address, "http://127.0.0.1:port".
	URL string
	// SOAPURL is the base of the SOAP services, URL + "/webservices".
	SOAPURL string
	// HTTPURL is the base of the HTTP API, URL + "/ajax/".
	HTTPURL string
	web     *http.Server
	calls   sync.WaitGroup // the listener's and those under way
	mu      sync.Mutex
	ended   bool // no call begins any more
}

// Start makes a server and lets it listen on a free loopback port.
func Start(opts ...Option) (*Instance, error) {
	s := New(opts...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("oxtest: %w", err)
	}
	url := "http://" + l.Addr().String()
	i := &Instance{Server: s, URL: url, SOAPURL: url + "/webservices", HTTPURL: url + s.http.Options.Prefix,
		web: &http.Server{ErrorLog: log.New(io.Discard, "", 0)}}
	i.web.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !i.enter() {
			panic(http.ErrAbortHandler)
		}
		defer i.calls.Done()
		s.ServeHTTP(w, r)
	})
	i.calls.Go(func() { i.web.Serve(l) }) // until Close
	return i, nil
}

// Run starts a server, calls f with it and closes it. The context ends with the
// server.
func Run(f func(ctx context.Context, i *Instance) error, opts ...Option) error {
	i, err := Start(opts...)
	if err != nil {
		return err
	}
	defer i.Close()
	return f(i.traffic.Closed, i)
}

// enter reports whether a call may begin.
func (i *Instance) enter() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return false
	}
	i.calls.Add(1)
	return true
}

// Close stops the listener and ends calls under way. A second Close does nothing.
func (i *Instance) Close() error {
	i.mu.Lock()
	i.ended = true
	i.mu.Unlock()
	i.Server.Close()
	err := i.web.Close()
	i.calls.Wait()
	return err
}
