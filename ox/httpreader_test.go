package ox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

func httpReader(t testing.TB, srv *oxtest.Instance) *ox.HTTPReader {
	t.Helper()
	api, err := appsuite.New(srv.HTTPURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &ox.HTTPReader{Client: api, Credentials: func(id schoolmail.ContextID) (appsuite.Credentials, error) {
		return appsuite.Credentials{Name: fmt.Sprintf("oxadmin@school%d", id), Password: admin.Password}, nil
	}}
}

// TestBothReadersAgree: SOAP and the HTTP API give the same values.
func TestBothReadersAgree(t *testing.T) {
	t.Parallel()
	srv, soap := district(t)
	admins := map[schoolmail.ContextID]ox.Credentials{10: admin, 20: admin}
	http := ox.NewGroupware(soap.Client(), admins, &ox.GroupwareOptions{
		Reader:  httpReader(t, srv),
		MailOff: func(schoolmail.ContextID) []string { return []string{"u3", "u4", "nobody"} },
	})
	for _, id := range []schoolmail.ContextID{10, 20} {
		for i := range 20 {
			spec := mia()
			spec.Username, spec.DisplayName, spec.GivenName = fmt.Sprintf("u%d", i), fmt.Sprintf("Zoë Müller %d", i), "Zoë & Co."
			spec.Mail, spec.Aliases, spec.MailEnabled = fmt.Sprintf("u%d@s.example", i), nil, i != 3
			if i%2 == 1 {
				spec.Access = "webmail" // with the address book closed
			}
			if _, err := soap.EnsureUser(t.Context(), id, spec); err != nil {
				t.Fatal(err)
			}
		}
	}
	ids := []schoolmail.ContextID{10, 20}
	wantContexts, want, err := soap.Observe(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	contexts, got, err := http.Observe(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantContexts, contexts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := srv.OpenSessions(); n != 0 {
		t.Errorf("%d sessions are left open", n)
	}
}

// TestHTTPReaderNeedsTheAddressBook: otherwise login names would be missing.
func TestHTTPReaderNeedsTheAddressBook(t *testing.T) {
	t.Parallel()
	srv, c := start(t, nil)
	if err := srv.State().AddContext(oxtest.Context{ID: 10, Name: "school10", Access: "webmail"}); err != nil {
		t.Fatal(err)
	}
	if _, err := srv.State().AddUser(10, oxtest.User{Name: "anna"}); err != nil {
		t.Fatal(err)
	}
	g := ox.NewGroupware(c, map[schoolmail.ContextID]ox.Credentials{10: admin}, &ox.GroupwareOptions{Reader: httpReader(t, srv)})
	if _, _, err := g.Observe(t.Context(), []schoolmail.ContextID{10}); !errors.Is(err, ox.ErrPermissionDenied) {
		t.Errorf("got %v", err)
	}
}

func TestHTTPReaderWrongPassword(t *testing.T) {
	t.Parallel()
	srv, _ := district(t)
	r := httpReader(t, srv)
	good := r.Credentials
	r.Credentials = func(id schoolmail.ContextID) (appsuite.Credentials, error) {
		cred, err := good(id + 10) // a login into another context
		return cred, err
	}
	for _, err := range r.Places(t.Context(), 10) {
		if !errors.Is(err, ox.ErrCredentials) {
			t.Errorf("got %v", err)
		}
	}
	r.Credentials = func(schoolmail.ContextID) (appsuite.Credentials, error) {
		return appsuite.Credentials{Name: "oxadmin@school10", Password: "hush-hush"}, nil
	}
	for _, err := range r.Places(t.Context(), 10) {
		if !errors.Is(err, ox.ErrCredentials) {
			t.Errorf("got %v", err)
		}
	}
}

// TestHTTPReaderErrors: a server that is down is no wrong password.
func TestHTTPReaderErrors(t *testing.T) {
	t.Parallel()
	srv, _ := district(t)
	r := httpReader(t, srv)
	srv.Close()
	for _, err := range r.Places(t.Context(), 10) {
		e, ok := errors.AsType[*ox.Error](err)
		if !ok || errors.Is(err, ox.ErrCredentials) || !e.Temporary() {
			t.Errorf("got %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range r.Places(ctx, 10) {
		if !errors.Is(err, ox.ErrCanceled) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
