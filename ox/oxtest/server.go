package oxtest

import (
	"context"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/wsdl"
)

// Server answers OX requests; it is an [http.Handler]. Make one with [New], or
// with [Start], which also listens.
type Server struct {
	state    *State
	mux      *http.ServeMux
	services map[string]*service
	missing  map[string]bool

	version       Version
	latency       func(Call) time.Duration
	lockPause     time.Duration
	hangingCopies bool
	noDetail      bool

	outage outage
	http   *httpAPI
	log    *callLog
	inject *injector
	closed context.Context
	close  context.CancelFunc
}

// service is one SOAP service.
type service struct {
	name     string
	style    soap.FaultStyle
	decoder  *soap.RequestDecoder
	handlers map[*soap.Operation]handler
}

// handler answers one operation. It returns nil or a pointer to the response struct.
type handler func(c *call, req any) (any, *soap.Fault)

// call is one SOAP request being answered.
type call struct {
	srv   *Server
	st    *State
	op    *soap.Operation
	rec   *Call
	delay time.Duration
}

// New returns a server with an empty installation: no contexts, one database,
// one file store.
func New(opts ...Option) *Server {
	s := &Server{
		state:     newState(settings{masterLogin: "oxadminmaster", masterPassword: "secret"}),
		mux:       http.NewServeMux(),
		services:  map[string]*service{},
		missing:   map[string]bool{},
		lockPause: time.Second,
		log:       newCallLog(),
		inject:    &injector{rng: rand.New(rand.NewPCG(1, 2))},
	}
	s.closed, s.close = context.WithCancel(context.Background())
	s.http = newHTTPAPI(s)
	for _, o := range opts {
		o(s)
	}
	for _, sv := range allServices() {
		sv.decoder.Refuse = s.refuse
		sv.style.NoDetail = s.noDetail
		if !s.missing[sv.name] {
			s.services[sv.name] = sv
		}
	}
	s.mux.HandleFunc("/webservices/", s.serveSOAP)
	s.mux.HandleFunc("/webservices", s.serveSOAP)
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
func (s *Server) Close() { s.close() }

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
	return &Instance{Server: s, URL: h.URL, SOAPURL: h.URL + "/webservices", HTTPURL: h.URL + s.http.opts.Prefix,
		listener: h}
}

// Close stops the listener and ends calls under way.
func (i *Instance) Close() {
	i.Server.Close()
	i.listener.CloseClientConnections()
	i.listener.Close()
}

// refuse hides what the version of the server does not know.
func (s *Server) refuse(goType, element string) bool {
	if s.version != Version710 {
		return false
	}
	switch goType + "." + element {
	case "User.drive_folder_mode", "User.load_remote_mail_content_by_default", "User.image1", "User.image1ContentType",
		"Context.gabMode", "Resource.permissions",
		"List.length", "List.offset", "ListCaseInsensitive.length", "ListCaseInsensitive.offset",
		"ListByAliasDomain.length", "ListByAliasDomain.offset":
		return true
	}
	return false
}

// omit is refuse for answers.
func (s *Server) omit() func(goType, element string) bool {
	if s.version == Version8 {
		return nil
	}
	return s.refuse
}

const maxRequest = 64 << 20

// serveSOAP answers everything under /webservices.
func (s *Server) serveSOAP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/webservices"), "/")
	if name == "" {
		s.listServices(w)
		return
	}
	sv := s.services[name]
	if sv == nil {
		http.Error(w, "No service was found.", http.StatusNotFound)
		return
	}
	_, wantsWSDL := r.URL.Query()["wsdl"]
	switch {
	case r.Method == http.MethodGet && wantsWSDL:
		s.serveWSDL(w, r, sv)
		return
	case r.Method == http.MethodGet:
		writeFault(w, &soap.Fault{Code: "Server",
			Message: "No binding operation info while invoking unknown method with params unknown."}, sv.style)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil || len(body) > maxRequest {
		http.Error(w, "request entity too large", http.StatusRequestEntityTooLarge)
		return
	}
	op, req, fault := sv.decoder.Decode(body)
	rec := &Call{Service: sv.name, Op: "?", Request: int64(len(body))}
	if op != nil {
		rec.Op = op.Name
	}
	if req != nil {
		describe(rec, req)
		s.countObjects(rec)
	}
	s.log.begin(rec)
	out := &answerWriter{w: w}
	defer func() {
		rec.Response = out.n
		s.log.end(rec)
	}()
	if fault != nil {
		rec.Outcome = fault.Code
		writeFault(out, fault, sv.style)
		return
	}
	s.answer(out, sv, op, req, rec)
}

// answer carries out a decoded request, or lets it fail as a rule demands.
func (s *Server) answer(out *answerWriter, sv *service, op *soap.Operation, req any, rec *Call) {
	fail := s.inject.failure(rec)
	c := &call{srv: s, st: s.state, op: op, rec: rec, delay: fail.Delay}
	if s.latency != nil {
		c.delay += s.latency(*rec)
	}
	switch {
	case fail.ResetBefore:
		rec.Outcome = "reset before"
		panic(http.ErrAbortHandler)
	case fail.Status != 0:
		c.work()
		rec.Outcome = fmt.Sprintf("status %d", fail.Status)
		out.w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		out.w.WriteHeader(fail.Status)
		fmt.Fprintf(out, "<html><head><title>%d %s</title></head><body></body></html>", fail.Status,
			http.StatusText(fail.Status))
		return
	case fail.Fault != "":
		c.work()
		s.state.mu.Lock()
		f := s.state.fault(fail.Fault, "%s", fail.Message)
		s.state.mu.Unlock()
		rec.Outcome = fail.Fault
		writeFault(out, f, sv.style)
		return
	}
	h := sv.handlers[op]
	resp, fault := h(c, req)
	if fault != nil {
		if rec.Outcome = fault.Kind; rec.Outcome == "" {
			rec.Outcome = fault.Code
		}
	}
	if fail.ResetAfter {
		rec.Outcome = "reset after"
		panic(http.ErrAbortHandler)
	}
	out.limit, out.pause, out.ctx = fail.Truncate, fail.SlowBody, s.closed
	if fail.Truncate > 0 {
		rec.Outcome = "truncated"
	}
	if fault != nil {
		writeFault(out, fault, sv.style)
		return
	}
	out.w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
	if err := soap.WriteResponse(out, op, resp, s.omit()); err != nil {
		panic(http.ErrAbortHandler) // the client is gone, or a rule cuts the answer off
	}
}

func writeFault(w http.ResponseWriter, f *soap.Fault, style soap.FaultStyle) {
	w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
	w.WriteHeader(http.StatusInternalServerError)
	w.Write(soap.EncodeFault(f, style))
}

// listServices answers GET /webservices.
func (s *Server) listServices(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	io.WriteString(w, "<html><head><title>Services</title></head><body><ul>")
	for _, n := range wsdl.Services {
		if s.services[n] != nil {
			fmt.Fprintf(w, "<li><a href=\"/webservices/%[1]s?wsdl\">%[1]s</a></li>", html.EscapeString(n))
		}
	}
	io.WriteString(w, "</ul></body></html>")
}

// serveWSDL publishes a service's document with the address at which it was asked for.
func (s *Server) serveWSDL(w http.ResponseWriter, r *http.Request, sv *service) {
	doc, err := wsdl.Document(sv.name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
	io.WriteString(w, strings.Replace(string(doc), "http://localhost/webservices/",
		scheme+"://"+html.EscapeString(r.Host)+"/webservices/", 1))
}

// work takes the call's time.
func (c *call) work() { sleep(c.srv.closed, c.delay) }

// locked takes the call's time and then runs f on the state.
func (c *call) locked(f func() *soap.Fault) *soap.Fault {
	c.work()
	c.st.mu.Lock()
	defer c.st.mu.Unlock()
	return f()
}

// writing is locked for user writes: check finds the context, before and after
// waiting for the context's lock, under which f runs.
func (c *call) writing(check func() (*contextState, *soap.Fault), f func(*contextState) *soap.Fault) *soap.Fault {
	c.st.mu.Lock()
	cs, fault := check()
	c.st.mu.Unlock()
	if fault != nil {
		return fault
	}
	if !cs.lock.acquire(c.srv.closed, c.srv.lockPause) {
		c.st.mu.Lock()
		defer c.st.mu.Unlock()
		return c.st.fault(kindStorage, "%s", Conflict.Message)
	}
	defer cs.lock.release()
	return c.locked(func() *soap.Fault {
		cs, fault := check()
		if fault != nil {
			return fault
		}
		return f(cs)
	})
}

// describe fills a record from the parameters of a request.
func describe(rec *Call, req any) {
	rv := reflect.ValueOf(req).Elem()
	for _, n := range []string{"Ctx", "Context", "Src"} {
		if v := rv.FieldByName(n); v.IsValid() && !v.IsNil() {
			rec.Context = number(v.Elem().FieldByName("Id").Interface().(*int32))
		}
	}
	for _, n := range []string{"Usrdata", "User", "Usr", "Grp", "Res"} {
		v := rv.FieldByName(n)
		if !v.IsValid() || v.Kind() != reflect.Pointer || v.IsNil() {
			continue
		}
		rec.Objects = 1
		if p := v.Elem().FieldByName("Name").Interface().(*string); p != nil {
			rec.Subject = *p
		} else if p := v.Elem().FieldByName("Id").Interface().(*int32); p != nil {
			rec.Subject = itoa(int(*p))
		}
		if m := v.Elem().FieldByName("Members"); m.IsValid() {
			rec.Objects = m.Len()
		}
	}
	for _, n := range []string{"Users", "Members", "Grps", "Resources"} {
		if v := rv.FieldByName(n); v.IsValid() && v.Kind() == reflect.Slice {
			rec.Objects = v.Len()
		}
	}
}

// countObjects says how many users a call works on that names none.
func (s *Server) countObjects(rec *Call) {
	if rec.Objects > 0 || rec.Context == 0 {
		return
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if c := s.state.context(rec.Context); c != nil {
		rec.Objects = len(c.users)
	}
}

// answerWriter counts an answer, slows it down and cuts it off.
type answerWriter struct {
	w     http.ResponseWriter
	n     int64
	limit int
	pause time.Duration
	ctx   context.Context
}

func (a *answerWriter) Header() http.Header    { return a.w.Header() }
func (a *answerWriter) WriteHeader(status int) { a.w.WriteHeader(status) }

func (a *answerWriter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		part := p
		if a.pause > 0 && len(part) > 4096 {
			part = part[:4096]
		}
		cut := a.limit > 0 && a.n+int64(len(part)) >= int64(a.limit)
		if cut {
			part = part[:int64(a.limit)-a.n]
		}
		n, err := a.w.Write(part)
		total += n
		a.n += int64(n)
		if err != nil {
			return total, err
		}
		if cut || a.pause > 0 {
			if f, ok := a.w.(http.Flusher); ok {
				f.Flush()
			}
		}
		if cut {
			panic(http.ErrAbortHandler)
		}
		if a.pause > 0 && !sleep(a.ctx, a.pause) {
			return total, io.ErrClosedPipe
		}
		p = p[len(part):]
	}
	return total, nil
}
