package appsuite

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// fakeServer answers requests without a network, so that tests can run in a
// synctest bubble. Login always works unless a handler says otherwise.
type fakeServer struct {
	mu     sync.Mutex
	handle map[string]func(*http.Request, string) fakeAnswer // by operation, e.g. "contacts all"
	seen   []string                                          // operations, in order
	bodies map[string][]string
	logins int
}

type fakeAnswer struct {
	status int
	header map[string]string
	body   string
	err    error
}

func ok(body string) fakeAnswer { return fakeAnswer{status: 200, body: body} }

func (f *fakeServer) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	op := strings.TrimSpace(strings.TrimPrefix(r.URL.Path, "/ajax/") + " " + r.URL.Query().Get("action"))
	f.mu.Lock()
	f.seen = append(f.seen, op)
	if f.bodies == nil {
		f.bodies = map[string][]string{}
	}
	f.bodies[op] = append(f.bodies[op], body)
	h := f.handle[op]
	if op == "login login" {
		f.logins++
	}
	f.mu.Unlock()
	var a fakeAnswer
	switch {
	case h != nil:
		a = h(r, body)
	case op == "login login":
		a = ok(`{"session":"0123456789abcdef0123456789abcdef","user":"x","user_id":3,"context_id":17,"locale":"de_CH"}`)
	case op == "login logout":
		a = ok("")
	default:
		return nil, errors.New("unexpected call " + op)
	}
	if a.err != nil {
		return nil, a.err
	}
	w := httptest.NewRecorder()
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func (f *fakeServer) count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.seen {
		if s == op {
			n++
		}
	}
	return n
}

func (f *fakeServer) client(t *testing.T, o Options) *Client {
	t.Helper()
	o.HTTPClient = &http.Client{Transport: f}
	c, err := New("https://ox.example/ajax", &o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fakeServer) session(t *testing.T, o Options) *Session {
	t.Helper()
	s, err := f.client(t, o).Login(t.Context(), Credentials{"books@ctx17", "pw"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
