// Package soapapi answers the provisioning services of a simulated Open-Xchange from
// what package state holds.
package soapapi

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/wsdl"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/traffic"
)

// API serves the SOAP services on a world. Its exported fields are set before it is opened.
type API struct {
	st       *state.World
	traffic  *traffic.Traffic
	Services map[string]*service

	Version       Version
	Latency       func(traffic.Call) time.Duration
	LockPause     time.Duration
	HangingCopies bool
	NoDetail      bool
	Missing       map[string]bool // services by name
}

func New(st *state.World, t *traffic.Traffic) *API {
	return &API{st: st, traffic: t, Services: map[string]*service{}, Missing: map[string]bool{},
		LockPause: time.Second}
}

// Open makes the services that are not missing.
func (s *API) Open() {
	for _, sv := range AllServices() {
		sv.decoder.Refuse = s.refuse
		sv.style.NoDetail = s.NoDetail
		if !s.Missing[sv.name] {
			s.Services[sv.name] = sv
		}
	}
}

// service is one SOAP service.
type service struct {
	name     string
	style    soap.FaultStyle
	decoder  *soap.RequestDecoder
	Handlers map[*soap.Operation]handler
}

// handler answers one operation. It returns nil or a pointer to the response struct.
type handler func(c *call, req any) (any, *soap.Fault)

// call is one SOAP request being answered.
type call struct {
	srv   *API
	st    *state.World
	op    *soap.Operation
	rec   *traffic.Call
	delay time.Duration
}

// refuse hides what the version of the server does not know.
func (s *API) refuse(goType, element string) bool {
	if s.Version != Version710 {
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
func (s *API) omit() func(goType, element string) bool {
	if s.Version == Version8 {
		return nil
	}
	return s.refuse
}

const maxRequest = 64 << 20

// ServeHTTP answers everything under /webservices.
func (s *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/webservices"), "/")
	if name == "" {
		s.listServices(w)
		return
	}
	sv := s.Services[name]
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
	rec := &traffic.Call{Service: sv.name, Op: "?", Request: int64(len(body))}
	if op != nil {
		rec.Op = op.Name
	}
	if req != nil {
		describe(rec, req)
		s.countObjects(rec)
	}
	s.traffic.Log.Begin(rec)
	out := &traffic.AnswerWriter{W: w}
	defer func() {
		rec.Response = out.N
		s.traffic.Log.End(rec)
	}()
	if fault != nil {
		rec.Outcome = fault.Code
		writeFault(out, fault, sv.style)
		return
	}
	s.answer(out, sv, op, req, rec)
}

// answer carries out a decoded request, or lets it fail as a rule demands.
func (s *API) answer(out *traffic.AnswerWriter, sv *service, op *soap.Operation, req any, rec *traffic.Call) {
	fail := s.traffic.Faults.Failure(rec)
	c := &call{srv: s, st: s.st, op: op, rec: rec, delay: fail.Delay}
	if s.Latency != nil {
		c.delay += s.Latency(*rec)
	}
	switch {
	case fail.ResetBefore:
		rec.Outcome = "reset before"
		panic(http.ErrAbortHandler)
	case fail.Status != 0:
		c.work()
		rec.Outcome = fmt.Sprintf("status %d", fail.Status)
		out.W.Header().Set("Content-Type", "text/html; charset=UTF-8")
		out.W.WriteHeader(fail.Status)
		fmt.Fprintf(out, "<html><head><title>%d %s</title></head><body></body></html>", fail.Status,
			http.StatusText(fail.Status))
		return
	case fail.Kind != "":
		c.work()
		s.st.Mu.Lock()
		f := s.st.Fault(fail.Kind, "%s", fail.Message)
		s.st.Mu.Unlock()
		rec.Outcome = fail.Kind
		writeFault(out, f, sv.style)
		return
	}
	h := sv.Handlers[op]
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
	out.Limit, out.Pause, out.Ctx = fail.Truncate, fail.SlowBody, s.traffic.Closed
	if fail.Truncate > 0 {
		rec.Outcome = "truncated"
	}
	if fault != nil {
		writeFault(out, fault, sv.style)
		return
	}
	out.W.Header().Set("Content-Type", "text/xml; charset=UTF-8")
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
func (s *API) listServices(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	io.WriteString(w, "<html><head><title>Services</title></head><body><ul>")
	for _, n := range wsdl.Services {
		if s.Services[n] != nil {
			fmt.Fprintf(w, "<li><a href=\"/webservices/%[1]s?wsdl\">%[1]s</a></li>", html.EscapeString(n))
		}
	}
	io.WriteString(w, "</ul></body></html>")
}

// serveWSDL publishes a service's document with the address at which it was asked for.
func (s *API) serveWSDL(w http.ResponseWriter, r *http.Request, sv *service) {
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
func (c *call) work() { traffic.Sleep(c.srv.traffic.Closed, c.delay) }

// locked takes the call's time and then runs f on the state.
func (c *call) locked(f func() *soap.Fault) *soap.Fault {
	c.work()
	c.st.Mu.Lock()
	defer c.st.Mu.Unlock()
	return f()
}

// writing is locked for user writes: check finds the context, before and after
// waiting for the context's lock, under which f runs.
func (c *call) writing(check func() (*state.Context, *soap.Fault), f func(*state.Context) *soap.Fault) *soap.Fault {
	c.st.Mu.Lock()
	cs, fault := check()
	c.st.Mu.Unlock()
	if fault != nil {
		return fault
	}
	if !cs.Lock.Acquire(c.srv.traffic.Closed, c.srv.LockPause) {
		c.st.Mu.Lock()
		defer c.st.Mu.Unlock()
		return c.st.Fault(state.KindStorage, "%s", traffic.Conflict.Message)
	}
	defer cs.Lock.Release()
	return c.locked(func() *soap.Fault {
		cs, fault := check()
		if fault != nil {
			return fault
		}
		return f(cs)
	})
}

// describe fills a record from the parameters of a request.
func describe(rec *traffic.Call, req any) {
	rv := reflect.ValueOf(req).Elem()
	for _, n := range []string{"Ctx", "Context", "Src"} {
		if v := rv.FieldByName(n); v.IsValid() && !v.IsNil() {
			rec.Context = schoolmail.ContextID(state.Number(v.Elem().FieldByName("Id").Interface().(*int32)))
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
			rec.Subject = state.Itoa(int(*p))
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
func (s *API) countObjects(rec *traffic.Call) {
	if rec.Objects > 0 || rec.Context == 0 {
		return
	}
	s.st.Mu.Lock()
	defer s.st.Mu.Unlock()
	if c := s.st.Context(int(rec.Context)); c != nil {
		rec.Objects = len(c.Users)
	}
}
