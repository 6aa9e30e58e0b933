package ox_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// fickle is a proxy that keeps a connection open after an answer and closes it
// when the next request has arrived, which is what a client sees when the
// proxy's patience and the request cross. Every third request gets lost so.
// With forward, the server has got it by then.
func fickle(t *testing.T, srv *oxtest.Instance, forward bool) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	pass := func(r *http.Request) (*http.Response, error) {
		r.URL.Scheme, r.URL.Host, r.RequestURI = "http", strings.TrimPrefix(srv.URL, "http://"), ""
		return http.DefaultTransport.RoundTrip(r)
	}
	serve := func(c net.Conn) {
		defer func() { _ = c.Close() }()
		in := bufio.NewReader(c)
		for n := 0; ; n++ {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if n == 2 && !forward {
				return
			}
			resp, err := pass(r)
			if err != nil {
				return
			}
			if n == 2 {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				return
			}
			err = resp.Write(c)
			_ = resp.Body.Close()
			if err != nil {
				return
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "http://" + l.Addr().String() + "/webservices"
}

// TestConnectionsThatCloseBetweenRequests: nothing fails, nothing is done twice.
func TestConnectionsThatCloseBetweenRequests(t *testing.T) {
	t.Parallel()
	for _, forward := range []bool{false, true} {
		t.Run(fmt.Sprintf("forward=%v", forward), func(t *testing.T) {
			t.Parallel()
			srv := testlife.Of(oxtest.Start())(t)
			addContexts(t, srv, 10)
			c, err := ox.New([]string{fickle(t, srv, forward)}, ox.Credentials{Login: "oxadminmaster", Password: "secret"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.CloseIdleConnections)
			cc := c.Context(10, admin)
			ctx := t.Context()
			var ids []schoolmail.UserID
			for i := range 3 {
				name := fmt.Sprintf("u%d", i)
				u, err := cc.Users.Create(ctx, ox.NewUser{Name: name, DisplayName: name, GivenName: "G", FamilyName: "F",
					PrimaryEmail: name + "@s.example", Password: "pw-1"})
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, u.ID)
			}
			g, err := cc.Groups.Create(ctx, ox.Group{Name: "7b", DisplayName: "7b"})
			if err != nil {
				t.Fatal(err)
			}
			if err := cc.Groups.AddMembers(ctx, ox.GroupRef{ID: g.ID}, ids...); err != nil {
				t.Fatal(err)
			}
			if err := cc.Users.Change(ctx, ox.UserRef{ID: ids[0]}, ox.UserChange{Department: new("7b")}); err != nil {
				t.Fatal(err)
			}
			if err := cc.Users.Delete(ctx, ox.Reassign{}, ox.Refs(ids[1:]...)...); err != nil {
				t.Fatal(err)
			}
			if n := len(srv.State().Users(10)); n != 2 {
				t.Errorf("%d users, want the administrator and one", n)
			}
			if n := len(srv.State().Groups(10)); n != 2 {
				t.Errorf("%d groups, want the default one and another", n)
			}
			if c.Stats().Total.Errors == 0 {
				t.Error("no request was lost: this test tests nothing")
			}
		})
	}
}

// TestContextThatDisappears: one that is deleted while it is read is left out,
// as if it had been deleted before; wrong credentials for an existing one are an
// error.
func TestContextThatDisappears(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"listAll", "getMultipleData"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			srv := testlife.Of(oxtest.Start())(t)
			addContexts(t, srv, 10, 20)
			before := srv.State().Snapshot()
			master, err := ox.New([]string{srv.SOAPURL}, ox.Credentials{Login: "oxadminmaster", Password: "secret"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ox.New([]string{srv.SOAPURL}, ox.Credentials{Login: "oxadminmaster", Password: "secret"}, &ox.Options{
				HTTPClient: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
					if r.Header.Get("SOAPAction") == `"urn:`+op+`"` {
						if err := master.Contexts.Delete(r.Context(), 20); err != nil {
							t.Error(err)
						}
					}
					return http.DefaultTransport.RoundTrip(r)
				})}})
			if err != nil {
				t.Fatal(err)
			}
			ids := []schoolmail.ContextID{10, 20}
			contexts, places, err := ox.NewGroupware(c, map[schoolmail.ContextID]ox.Credentials{10: admin, 20: admin},
				nil).Observe(t.Context(), ids)
			if err != nil || len(contexts) != 1 || contexts[0].ID != 10 || len(places) != 1 {
				t.Errorf("got %v, %v, %v", contexts, places, err)
			}
			srv.State().Restore(before)
			wrong := ox.Credentials{Login: "oxadmin", Password: "wrong"}
			_, _, err = ox.NewGroupware(master, map[schoolmail.ContextID]ox.Credentials{10: admin, 20: wrong},
				nil).Observe(t.Context(), ids)
			if !errors.Is(err, ox.ErrCredentials) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestLostAnswerToAccountCreate is settled by looking, too.
func TestLostAnswerToAccountCreate(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]oxtest.Failure{"before": {ResetBefore: true}, "after": {ResetAfter: true},
		"proxy": {Status: 502}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, _, cc := school(t)
			srv.Inject(oxtest.Fault{Service: "OXSecondaryAccountService", Op: "create", Times: 1, Failure: f})
			n := ox.NewAccount{Account: ox.Account{Name: "Office", PrimaryAddress: "office@s.example",
				Mail: ox.MailServer{Login: "office", Password: "pw-1"}}, MailSource: ox.EndpointPrimary,
				TransportSource: ox.EndpointPrimary}
			holders := ox.AccountHolders{Users: []schoolmail.UserID{3, 4}}
			if err := cc.Accounts.Create(t.Context(), n, holders); err != nil {
				t.Fatal(err)
			}
			list, err := ox.Collect(cc.Accounts.All(t.Context(), holders))
			if err != nil || len(list) != 2 {
				t.Errorf("got %v, %v", list, err)
			}
			// What is there already, and was not lost, is refused.
			if err := cc.Accounts.Create(t.Context(), n, holders); err == nil {
				t.Error("made twice")
			}
		})
	}
}

// TestTexts: whatever XML can carry arrives as it was; what it cannot carry is
// refused before anything is sent.
func TestTexts(t *testing.T) {
	t.Parallel()
	srv, _, cc := school(t)
	ctx := t.Context()
	ref := ox.UserRef{ID: 3}
	for _, s := range []string{`"Zoë" <&> 'O''Hara'`, "]]>", "&amp;lt;", "a\r\nb\tc\n", "  spaces  ",
		"\u200d\U0001F468\u200d\U0001F393", "e\u0301", "\u0085\u2028\ufeff", "<!--", "%*_?"} {
		if err := cc.Users.Change(ctx, ref, ox.UserChange{DisplayName: &s, Note: &s,
			Attributes: ox.AttributesChange{"x": {s: &s}}}); err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		u, err := cc.Users.Get(ctx, ref)
		if err != nil || u.DisplayName != s || u.Note != s || u.Attributes["x"][s] != s {
			t.Errorf("%q arrived as %q, %q, %v: %v", s, u.DisplayName, u.Note, u.Attributes["x"], err)
		}
		if found, err := cc.Users.DisplayNameExists(ctx, s); err != nil || !found {
			t.Errorf("%q is not found: %v", s, err)
		}
	}
	srv.ResetCalls()
	for _, s := range []string{"\x00", "a\x07b", "\x1b[1m", "\xff", "\ufffe", string([]byte{0xed, 0xa0, 0x80})} {
		err := cc.Users.Change(ctx, ref, ox.UserChange{Note: &s})
		if e, ok := errors.AsType[*ox.Error](err); !ok || e.Kind != ox.ErrInvalidData || !e.NotDone || e.Temporary() {
			t.Errorf("%q: got %v", s, err)
		}
		err = second(cc.Users.Create(ctx, ox.NewUser{Name: "x" + s, DisplayName: "x", GivenName: "x", FamilyName: "x",
			PrimaryEmail: "x@s.example", Password: "pw-1"}))
		if e, ok := errors.AsType[*ox.Error](err); !ok || e.Kind != ox.ErrInvalidData || !e.NotDone {
			t.Errorf("%q: got %v", s, err)
		}
	}
	if n := len(srv.Calls()); n != 0 {
		t.Errorf("%d requests were sent: %v", n, srv.Calls())
	}
	// OX has its own idea of login names.
	for _, s := range []string{"müller", `a"b`, "a<b", "a b", "a/b", "a&b", "a'b"} {
		err := second(cc.Users.Create(ctx, ox.NewUser{Name: s, DisplayName: s, GivenName: "x", FamilyName: "x",
			PrimaryEmail: "x@s.example", Password: "pw-1"}))
		if !errors.Is(err, ox.ErrInvalidData) {
			t.Errorf("%q: got %v", s, err)
		}
		if err := second(cc.Users.Get(ctx, ox.UserRef{Name: s})); !errors.Is(err, ox.ErrNoSuchUser) {
			t.Errorf("%q: got %v", s, err)
		}
		if found, err := cc.Users.Exists(ctx, ox.UserRef{Name: s}); err != nil || found {
			t.Errorf("%q: got %v, %v", s, found, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestNothingAsked: empty lists are no requests.
func TestNothingAsked(t *testing.T) {
	t.Parallel()
	srv, _, cc := school(t)
	ctx := t.Context()
	srv.ResetCalls()
	for name, err := range map[string]error{
		"load users":     second(ox.Collect(cc.Users.Load(ctx, nil))),
		"load groups":    second(ox.Collect(cc.Groups.Load(ctx, nil))),
		"load resources": second(ox.Collect(cc.Resources.Load(ctx, nil))),
		"delete users":   cc.Users.Delete(ctx, ox.Reassign{}),
		"delete groups":  cc.Groups.Delete(ctx),
		"add members":    cc.Groups.AddMembers(ctx, ox.GroupRef{ID: 1}),
		"remove members": cc.Groups.RemoveMembers(ctx, ox.GroupRef{ID: 5}),
		"change user":    cc.Users.Change(ctx, ox.UserRef{ID: 3}, ox.UserChange{}),
		"change group":   cc.Groups.Change(ctx, ox.GroupRef{ID: 5}, ox.GroupChange{}),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(srv.Calls()); n != 0 {
		t.Errorf("%d requests: %v", n, srv.Calls())
	}
}

// TestNamesInAnotherCase: OX tells login names apart by case, group names and
// addresses not.
func TestNamesInAnotherCase(t *testing.T) {
	t.Parallel()
	_, _, cc := school(t)
	ctx := t.Context()
	n := ox.NewUser{Name: "Anna", DisplayName: "Another Anna", GivenName: "A", FamilyName: "B",
		PrimaryEmail: "ANNA@s.example", Password: "pw-1"}
	if err := second(cc.Users.Create(ctx, n)); !errors.Is(err, ox.ErrAddressUsed) {
		t.Errorf("address: got %v", err)
	}
	n.PrimaryEmail, n.DisplayName = "anna2@s.example", "ANNA"
	if err := second(cc.Users.Create(ctx, n)); !errors.Is(err, ox.ErrDisplayNameUsed) {
		t.Errorf("display name: got %v", err)
	}
	n.DisplayName = "Another Anna"
	u, err := cc.Users.Create(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]schoolmail.UserID{"anna": 3, "Anna": u.ID} {
		if got, err := cc.Users.Get(ctx, ox.UserRef{Name: name}); err != nil || got.ID != id {
			t.Errorf("%s: got %d, %v", name, got.ID, err)
		}
	}
	if err := second(cc.Groups.Create(ctx, ox.Group{Name: "7b", DisplayName: "x"})); err != nil {
		t.Fatal(err)
	}
	if err := second(cc.Groups.Create(ctx, ox.Group{Name: "7B", DisplayName: "y"})); !errors.Is(err, ox.ErrGroupExists) {
		t.Errorf("group: got %v", err)
	}
}
