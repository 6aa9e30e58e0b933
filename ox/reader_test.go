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

func httpReader(t testing.TB, srv *oxtest.Instance) *appsuite.PlaceReader {
	t.Helper()
	api, err := appsuite.New(srv.HTTPURL, &appsuite.Options{ServerWait: -1})
	if err != nil {
		t.Fatal(err)
	}
	return &appsuite.PlaceReader{Client: api, Credentials: func(id schoolmail.ContextID) (appsuite.Credentials, error) {
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

// TestOtherReaderFails: without leave to fall back the error is that of the reader;
// with it SOAP steps in for the contexts that need it, and somebody is told.
func TestOtherReaderFails(t *testing.T) {
	t.Parallel()
	srv, c := start(t, nil)
	addContexts(t, srv, 10)
	// The administrator of this one cannot see the address book, so that login names would be missing.
	if err := srv.State().AddContext(oxtest.Context{ID: 20, Name: "school20", Access: "webmail"}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []int{10, 20} {
		if _, err := srv.State().AddUser(schoolmail.ContextID(id), oxtest.User{Name: "anna"}); err != nil {
			t.Fatal(err)
		}
	}
	admins := map[schoolmail.ContextID]ox.Credentials{10: admin, 20: admin}
	ids := []schoolmail.ContextID{10, 20}
	strict := ox.NewGroupware(c, admins, &ox.GroupwareOptions{Reader: httpReader(t, srv)})
	if _, _, err := strict.Observe(t.Context(), ids); !errors.Is(err, ox.ErrReader) ||
		!errors.Is(err, appsuite.ErrPermission) {
		t.Errorf("got %v", err)
	}
	told := map[schoolmail.ContextID]error{}
	lenient := ox.NewGroupware(c, admins, &ox.GroupwareOptions{Reader: httpReader(t, srv),
		ReadEither: true, Observer: ox.ObserverFunc(func(e ox.Event) {
			if e.Reason == ox.FellBack {
				told[e.Context] = e.Err
			}
		})})
	_, places, err := lenient.Observe(t.Context(), ids)
	if err != nil || len(places) != 4 {
		t.Errorf("%v, %d users of 4", err, len(places))
	}
	if len(told) != 1 || !errors.Is(told[20], appsuite.ErrPermission) {
		t.Errorf("told %v", told)
	}
}

func TestPlaceReaderWrongPassword(t *testing.T) {
	t.Parallel()
	srv, _ := district(t)
	r := httpReader(t, srv)
	good := r.Credentials
	r.Credentials = func(id schoolmail.ContextID) (appsuite.Credentials, error) {
		cred, err := good(id + 10) // a login into another context
		return cred, err
	}
	for _, err := range r.Places(t.Context(), 10) {
		if !errors.Is(err, appsuite.ErrLogin) {
			t.Errorf("got %v", err)
		}
	}
	r.Credentials = func(schoolmail.ContextID) (appsuite.Credentials, error) {
		return appsuite.Credentials{Name: "oxadmin@school10", Password: "hush-hush"}, nil
	}
	for _, err := range r.Places(t.Context(), 10) {
		if !errors.Is(err, appsuite.ErrLogin) {
			t.Errorf("got %v", err)
		}
	}
}

// TestPlaceReaderErrors: a server that is down is no wrong password.
func TestPlaceReaderErrors(t *testing.T) {
	t.Parallel()
	srv, _ := district(t)
	r := httpReader(t, srv)
	srv.Close()
	for _, err := range r.Places(t.Context(), 10) {
		e, ok := errors.AsType[*appsuite.Error](err)
		if !ok || errors.Is(err, appsuite.ErrLogin) || !e.Temporary() {
			t.Errorf("got %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range r.Places(ctx, 10) {
		if !errors.Is(err, appsuite.ErrNotSent) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}
