package soap

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// serve starts a server that answers everything with status and body.
func serve(t *testing.T, status int, contentType, body string) *Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	c, err := NewClient(srv.URL+"/webservices", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const xmlType = "text/xml; charset=UTF-8"

func envelope(body string) string {
	return `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` + body +
		`</soap:Body></soap:Envelope>`
}

func TestCall(t *testing.T) {
	t.Parallel()
	c := serve(t, 200, xmlType, envelope(`<createResponse xmlns="urn:s" xmlns:n="urn:d"><return>
	  <n:id>3</n:id><n:name xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/><n:alias>`+
		`a</n:alias><n:alias/></return></createResponse>`))
	var resp createResponse
	if err := c.Call(context.Background(), opCreate, &create{}, &resp); err != nil {
		t.Fatal(err)
	}
	u := resp.Return_
	if u == nil || u.Id == nil || *u.Id != 3 || u.Name != nil || len(u.Alias) != 2 || u.Alias[0] != "a" ||
		u.Alias[1] != "" {
		t.Errorf("got %+v", u)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const detail = `<detail><x:NoSuchUserException xmlns:x="urn:s"><x:NoSuchUserException/></x:NoSuchUserException>` +
		`</detail>`
	fault := func(detail string) string {
		return envelope(`<soap:Fault><faultcode>soap:Server</faultcode><faultstring>No such user 7; exceptionId ` +
			`-12-3</faultstring>` + detail + `</soap:Fault>`)
	}
	for _, tt := range []struct {
		name, contentType, body string
		status                  int
		void                    bool
		check                   func(error) bool
	}{
		{"typed", xmlType, fault(detail), 500, false, isFault("NoSuchUserException", "No such user 7", "-12-3")},
		{"typed with status 200", xmlType, fault(detail), 200, false,
			isFault("NoSuchUserException", "No such user 7", "-12-3")},
		{"without detail", xmlType, fault(""), 500, false, isFault("", "No such user 7", "-12-3")},
		{"void operation", xmlType, fault(detail), 500, true, isFault("NoSuchUserException", "No such user 7", "-12-3")},
		{"proxy page", "text/html", "<html><title>Bad Gateway</title><script>x</script></html>", 502, false,
			isHTTP(502, "Bad Gateway")},
		{"html with status 500", "text/html", "<p>oops</p>", 500, false, isHTTP(500, "oops")},
		{"redirect", "text/html", "", 302, false, isHTTP(302, "")},
		{"unknown service", "text/html", "No service was found.", 404, false, isHTTP(404, "No service was found.")},
		{"html with status 200", "text/html", "<html><body>login</body></html>", 200, false,
			isProtocol("no SOAP 1.1 envelope")},
		{"truncated", xmlType, envelope(`<createResponse xmlns="urn:s"><return/></createResponse>`)[:130], 200, false,
			isProtocol("cut off")},
		{"empty 202", xmlType, "", 202, false, isProtocol("cut off")},
		{"empty 202 of a void operation", "", "", 202, true, func(err error) bool { return err == nil }},
		{"nothing at all for a void operation", "", "", 200, true, isProtocol("cut off")},
		{"empty body", xmlType, envelope(""), 200, false, isProtocol("empty body")},
		{"empty body of a void operation", xmlType, envelope(""), 200, true, func(err error) bool { return err == nil }},
		{"empty body with status 500", xmlType, envelope(""), 500, true, isProtocol("empty body")},
		{"element for a void operation", xmlType, envelope("<changeResponse/>"), 200, true,
			isProtocol("unexpected element changeResponse")},
		{"wrong namespace", xmlType, envelope(`<createResponse xmlns="urn:other"/>`), 200, false,
			isProtocol("unexpected element")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, tt.status, tt.contentType, tt.body)
			var err error
			if tt.void {
				err = c.Call(context.Background(), opChange, &change{}, nil)
			} else {
				err = c.Call(context.Background(), opCreate, &create{}, &createResponse{})
			}
			if !tt.check(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func isFault(kind, message, id string) func(error) bool {
	return func(err error) bool {
		var f *Fault
		return errors.As(err, &f) && f.Kind == kind && f.Message == message && f.Code == "Server" &&
			len(f.ExceptionIDs) == 1 && f.ExceptionIDs[0] == id
	}
}

func isHTTP(status int, text string) func(error) bool {
	return func(err error) bool {
		var h *HTTPError
		return errors.As(err, &h) && h.Status == status && h.Text == text
	}
}

func isProtocol(reason string) func(error) bool {
	return func(err error) bool {
		var p *ProtocolError
		return errors.As(err, &p) && strings.Contains(p.Error(), reason)
	}
}

func TestSecretsStayOutOfErrors(t *testing.T) {
	t.Parallel()
	const secret = "geheim-42"
	c := serve(t, 403, "text/html", "you sent <password>"+secret+"</password> and "+secret+" again")
	err := c.Call(context.Background(), opCreate, &create{Auth: &auth{Password: new(secret)}}, &createResponse{})
	if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(),
		"you sent and [redacted] again") {
		t.Errorf("got %v", err)
	}
}

func TestNotSent(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	c, err := NewClient(srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	var te *TransportError
	if err := c.Call(context.Background(), opChange, &change{}, nil); !errors.As(err, &te) || !te.NotSent {
		t.Errorf("refused connection: got %v", err)
	}

	srv = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer srv.Close()
	if c, err = NewClient(srv.URL, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Call(context.Background(), opChange, &change{}, nil); !errors.As(err, &te) || te.NotSent {
		t.Errorf("dropped connection: got %v", err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	begun := make(chan bool)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, envelope("")[:60])
		w.(http.Flusher).Flush()
		close(begun)
		<-r.Context().Done()
	}))
	defer srv.Close()
	c, err := NewClient(srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-begun; cancel() }()
	err = c.Call(ctx, opChange, &change{}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestReturns(t *testing.T) {
	t.Parallel()
	item := `<return><n:id>1</n:id></return>`
	c := serve(t, 200, xmlType, envelope(`<listResponse xmlns="urn:s" xmlns:n="urn:d">`+strings.Repeat(item,
		3)+`</listResponse>`))
	n := 0
	for u, err := range Returns[user](context.Background(), c, opList, &list{}) {
		if err != nil || u.Id == nil || *u.Id != 1 {
			t.Fatalf("got %+v, %v", u, err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("got %d elements, want 3", n)
	}
	for range Returns[user](context.Background(), c, opList, &list{}) {
		n++
		break
	}
	if n != 4 {
		t.Error("loop went on after break")
	}
}

func TestReturnsOfCutOffAnswer(t *testing.T) {
	t.Parallel()
	c := serve(t, 200, xmlType,
		envelope(`<listResponse xmlns="urn:s" xmlns:n="urn:d"><return><n:id>1</n:id></return><return><n:i`)[:170])
	var got int
	var last error
	for u, err := range Returns[user](context.Background(), c, opList, &list{}) {
		if err != nil {
			last = err
			continue
		}
		got += int(*u.Id)
	}
	var p *ProtocolError
	if got != 1 || !errors.As(last, &p) {
		t.Errorf("got %d elements and %v", got, last)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, envelope(`<createResponse xmlns="urn:s">`+strings.Repeat(" ", 5000)+`</createResponse>`))
	}))
	defer srv.Close()
	c, err := NewClient(srv.URL, &Options{MaxAnswer: 4000})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Call(context.Background(), opCreate, &create{}, &createResponse{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	answer := envelope("")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("SOAPAction"); got != `"urn:change"` {
			t.Errorf("SOAPAction is %s", got)
		}
		io.WriteString(w, answer)
	}))
	defer srv.Close()
	var seen []Exchange
	c, err := NewClient(srv.URL, &Options{Observe: func(x Exchange) { seen = append(seen, x) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Call(context.Background(), opChange, &change{}, nil); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0].Op != opChange || seen[0].Status != 200 || seen[0].Sent == 0 ||
		seen[0].Received != int64(len(answer)) {
		t.Errorf("got %+v", seen)
	}
}

// TestFaultsKeepTheConnection: a fault is an answer like another, and no reason
// to open a new connection.
func TestFaultsKeepTheConnection(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", xmlType)
		w.WriteHeader(500)
		io.WriteString(w, envelope(`<soap:Fault><faultcode>soap:Server</faultcode><faultstring>no</faultstring>`+
			`</soap:Fault>`))
		w.(http.Flusher).Flush() // chunked, as OX answers
		io.WriteString(w, "\n")
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	c, err := NewClient(srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	for range 5 {
		var f *Fault
		if err := c.Call(context.Background(), opChange, &change{}, nil); !errors.As(err, &f) {
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for 5 faults", n)
	}
}
