package oxtest

import (
	"net/http"
	"net/http/httptest"

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

// Close ends calls that hang or wait. It does not stop a listener; see [Instance.Close].
func (s *Server) Close() { s.traffic.End() }

// Instance is a [Server] that listens on a loopback port.
type Instance struct {
	*Server
	// URL is the root address, "http://127.0.0.1:port".
	URL string
	// SOAPURL is the base of the SOAP services, URL + "/webservices".
	SOAPURL string
	// HTTPURL is the base of the HTTP API, URL + "/ajax/".
	HTTPURL  string
	listener *httptest.Server
}

// Start makes a server and lets it listen on a free loopback port.
func Start(opts ...Option) *Instance {
	s := New(opts...)
	h := httptest.NewServer(s)
	return &Instance{Server: s, URL: h.URL, SOAPURL: h.URL + "/webservices", HTTPURL: h.URL + s.http.Options.Prefix,
		listener: h}
}

// Close stops the listener and ends calls under way.
func (i *Instance) Close() {
	i.Server.Close()
	i.listener.CloseClientConnections()
	i.listener.Close()
}
