package ox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// start returns a simulated installation and a client of it.
func start(t testing.TB, opt *ox.Options, opts ...oxtest.Option) (*oxtest.Instance, *ox.Client) {
	t.Helper()
	srv := testlife.Of(oxtest.Start(opts...))(t)
	c, err := ox.New([]string{srv.SOAPURL}, ox.Credentials{Login: "oxadminmaster", Password: "secret"}, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return srv, c
}

var admin = ox.Credentials{Login: "oxadmin", Password: "secret"}

// addContexts makes contexts in the simulator, past the API.
func addContexts(t testing.TB, srv *oxtest.Instance, ids ...int) {
	t.Helper()
	for _, id := range ids {
		err := srv.State().AddContext(oxtest.Context{ID: schoolmail.ContextID(id), Name: fmt.Sprintf("school%d", id),
			Admin: oxtest.User{Name: "oxadmin", Password: "secret"}, Access: "all"})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// district is an installation with contexts 10 and 20 and its Groupware.
func district(t testing.TB, opts ...oxtest.Option) (*oxtest.Instance, *ox.Groupware) {
	t.Helper()
	srv, c := start(t, nil, opts...)
	addContexts(t, srv, 10, 20)
	return srv, ox.NewGroupware(c, map[schoolmail.ContextID]ox.Credentials{10: admin, 20: admin, 30: admin}, nil)
}

func mia() schoolmail.UserSpec {
	return schoolmail.UserSpec{Username: "mia.lind", GivenName: "Mia", FamilyName: "Lind", DisplayName: "Mia Lind",
		Mail: "mia.lind@s.example", Aliases: []string{"m.lind@s.example"}, Language: "de", Access: "groupware_standard",
		MailEnabled: true}
}

func TestEnsureUser(t *testing.T) {
	t.Parallel()
	srv, g := district(t)
	ctx := t.Context()
	p, err := g.EnsureUser(ctx, 10, mia())
	if err != nil {
		t.Fatal(err)
	}
	want := schoolmail.Place{Context: 10, UserID: p.UserID, Username: "mia.lind", Mail: "mia.lind@s.example",
		DisplayName: "Mia Lind",
		GivenName:   "Mia", FamilyName: "Lind", MailEnabled: true}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if got := srv.Counts(); got["OXUserService.createByModuleAccessName"] != 1 || len(srv.Calls()) != 1 {
		t.Errorf("a new user took %v", got)
	}
	u, _ := srv.State().User(10, "mia.lind")
	if u.Language != "de_DE" || !slices.Equal(sorted(u.Aliases), []string{"m.lind@s.example", "mia.lind@s.example"}) {
		t.Errorf("stored: %+v", u)
	}
	if again, err := g.User(ctx, 10, "mia.lind"); err != nil || again != p {
		t.Errorf("got %+v, %v", again, err)
	}

	// The same again writes nothing, also for somebody who has not seen the user yet.
	for _, g := range []*ox.Groupware{g, ox.NewGroupware(g.Client(), map[schoolmail.ContextID]ox.Credentials{10: admin},
		nil)} {
		srv.ResetCalls()
		if again, err := g.EnsureUser(ctx, 10, mia()); err != nil || again != p {
			t.Errorf("got %+v, %v", again, err)
		}
		if n := srv.Counts(); n["OXUserService.change"]+n["OXUserService.changeByModuleAccessName"] != 0 {
			t.Errorf("nothing to do took %v", n)
		}
	}

	// What differs is written, and only that.
	spec := mia()
	spec.DisplayName, spec.FamilyName = "Mia Berg", "Berg"
	spec.Mail, spec.Aliases = "mia.berg@s.example", []string{"mia.lind@s.example"}
	spec.Access, spec.MailEnabled = "webmail", false
	srv.ResetCalls()
	if _, err := g.EnsureUser(ctx, 10, spec); err != nil {
		t.Fatal(err)
	}
	if n := srv.Counts(); n["OXUserService.change"] != 1 || n["OXUserService.changeByModuleAccessName"] != 1 {
		t.Errorf("a change took %v", n)
	}
	u, _ = srv.State().User(10, "mia.lind")
	if u.PrimaryEmail != "mia.berg@s.example" || u.DefaultSender != "mia.berg@s.example" || u.Surname != "Berg" ||
		u.BookOpen ||
		!slices.Equal(sorted(u.Aliases), []string{"mia.berg@s.example", "mia.lind@s.example"}) {
		t.Errorf("stored: %+v", u)
	}
	got, err := g.User(ctx, 10, "mia.lind")
	if err != nil || got.MailEnabled || got.DisplayName != "Mia Berg" {
		t.Errorf("got %+v, %v", got, err)
	}
	srv.ResetCalls()
	if _, err := g.EnsureUser(ctx, 10, spec); err != nil {
		t.Fatal(err)
	}
	if n := srv.Counts(); n["OXUserService.change"]+n["OXUserService.changeByModuleAccessName"] != 0 {
		t.Errorf("nothing to do took %v", n)
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// TestEnsureUserAccess: every shipped combination settles, those with a flag that
// only administrators may have included.
func TestEnsureUserAccess(t *testing.T) {
	t.Parallel()
	srv, g := district(t)
	for name := range ox.Combinations() {
		spec := mia()
		spec.Access = name
		for range 2 {
			if _, err := g.EnsureUser(t.Context(), 10, spec); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		srv.ResetCalls()
		if _, err := g.EnsureUser(t.Context(), 10, spec); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := srv.Counts()["OXUserService.changeByModuleAccessName"]; n != 0 {
			t.Errorf("%s is set again every time", name)
		}
	}
}

// TestUsersOwnChoiceStays: the default sender is the user's to choose.
func TestUsersOwnChoiceStays(t *testing.T) {
	t.Parallel()
	srv, g := district(t)
	p, err := g.EnsureUser(t.Context(), 10, mia())
	if err != nil {
		t.Fatal(err)
	}
	users := g.Client().Context(10, admin).Users
	ref := ox.UserRef{ID: p.UserID}
	if err := users.Change(t.Context(), ref, ox.UserChange{DefaultSender: new("m.lind@s.example"),
		Language: new("fr_FR")}); err != nil {
		t.Fatal(err)
	}
	spec := mia()
	spec.GivenName = "Maria"
	if _, err := g.EnsureUser(t.Context(), 10, spec); err != nil {
		t.Fatal(err)
	}
	u, _ := srv.State().User(10, "mia.lind")
	if u.DefaultSender != "m.lind@s.example" || u.Language != "fr_FR" || u.GivenName != "Maria" {
		t.Errorf("stored: %+v", u)
	}
}

func TestEnsureUserConflicts(t *testing.T) {
	t.Parallel()
	_, g := district(t)
	if _, err := g.EnsureUser(t.Context(), 10, mia()); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		spoil func(*schoolmail.UserSpec)
		want  error
	}{
		"display name": {func(s *schoolmail.UserSpec) { s.Username, s.Mail = "m2", "m2@s.example" }, ox.ErrDisplayNameUsed},
		"address":      {func(s *schoolmail.UserSpec) { s.Username, s.DisplayName = "m3", "M 3" }, ox.ErrAddressUsed},
		"administrator": {func(s *schoolmail.UserSpec) {
			s.Username, s.DisplayName, s.Mail = "oxadmin", "A",
				"a@s.example"
		}, ox.ErrNotTheSame},
		"combination": {func(s *schoolmail.UserSpec) {
			s.Username, s.DisplayName, s.Mail, s.Access = "m4", "M 4", "m4@s.example", "teleport"
		}, ox.ErrNoSuchCombination},
	} {
		spec := mia()
		spec.Aliases = nil
		tt.spoil(&spec)
		_, err := g.EnsureUser(t.Context(), 10, spec)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
		if name != "combination" && !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("%s: %v is no conflict", name, err)
		}
	}
	if _, err := g.User(t.Context(), 10, "nobody"); !errors.Is(err, schoolmail.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := g.EnsureUser(t.Context(), 99, mia()); !errors.Is(err, ox.ErrCredentials) {
		t.Errorf("a context without an administrator: got %v", err)
	}
}

func TestEnsureContext(t *testing.T) {
	t.Parallel()
	srv, g := district(t)
	spec := schoolmail.ContextSpec{ID: 30, Name: "secondary1", Capacity: 8000}
	for range 2 {
		if err := g.EnsureContext(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	c, ok := srv.State().Context(30)
	if !ok || c.Name != "secondary1" || c.MaxQuota != ox.Unlimited || c.Admin.Name != "oxadmin" {
		t.Errorf("got %+v", c)
	}
	if n := srv.Counts()["OXContextService.createModuleAccessByName"]; n != 1 {
		t.Errorf("%d creates", n)
	}
	// The administrator can do what he is for.
	if err := g.Client().Context(30, admin).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := g.EnsureUser(t.Context(), 30, mia()); err != nil {
		t.Error(err)
	}
}

func TestCopyVerifyDelete(t *testing.T) {
	t.Parallel()
	for _, observed := range []bool{false, true} {
		t.Run(fmt.Sprintf("observed=%v", observed), func(t *testing.T) {
			t.Parallel()
			srv, g := district(t)
			ctx := t.Context()
			from, err := g.EnsureUser(ctx, 10, mia())
			if err != nil {
				t.Fatal(err)
			}
			if err := srv.State().SetData(10, "mia.lind", oxtest.PersonalData{Files: []string{"essay.odt"}}); err != nil {
				t.Fatal(err)
			}
			other := mia()
			other.Username, other.DisplayName, other.Mail, other.Aliases = "xmia.lind", "Somebody", "xmia.lind@s.example", nil
			if _, err := g.EnsureUser(ctx, 20, other); err != nil {
				t.Fatal(err)
			}
			if observed {
				if _, _, err := g.Observe(ctx, []schoolmail.ContextID{10, 20}); err != nil {
					t.Fatal(err)
				}
			}
			to, err := g.CopyUser(ctx, "mia.lind", 10, 20, mia())
			if err != nil {
				t.Fatal(err)
			}
			u, _ := srv.State().User(20, "mia.lind")
			if !u.BookOpen || !slices.Contains(u.Groups, 1) || !slices.Equal(u.Data.Files, []string{"essay.odt"}) ||
				u.ID != to.UserID {
				t.Errorf("the copy is incomplete: %+v", u)
			}
			if err := g.VerifyCopy(ctx, from, to); err != nil {
				t.Error(err)
			}
			// Again is refused: the name is taken.
			if _, err := g.CopyUser(ctx, "mia.lind", 10, 20, mia()); !errors.Is(err, ox.ErrUserExists) ||
				!errors.Is(err, schoolmail.ErrConflict) {
				t.Errorf("got %v", err)
			}
			// A copy that somebody has changed is not taken for one.
			users := g.Client().Context(20, admin).Users
			if err := users.Change(ctx, ox.UserRef{ID: to.UserID}, ox.UserChange{Department: new("7b")}); err != nil {
				t.Fatal(err)
			}
			if err := g.VerifyCopy(ctx, from, to); !errors.Is(err, ox.ErrCopyDiffers) {
				t.Errorf("got %v", err)
			}
			// Nor is one whose access was never set.
			if err := users.Change(ctx, ox.UserRef{ID: to.UserID}, ox.UserChange{Department: new("")}); err != nil {
				t.Fatal(err)
			}
			if err := users.SetAccess(ctx, ox.UserRef{ID: to.UserID},
				ox.AccessWebmail|ox.AccessGlobalAddressBookDisabled); err != nil {
				t.Fatal(err)
			}
			if err := g.VerifyCopy(ctx, from, to); !errors.Is(err, ox.ErrCopyDiffers) {
				t.Errorf("got %v", err)
			}

			wrong := from
			wrong.Username = "somebody.else"
			if err := g.DeleteUser(ctx, wrong); !errors.Is(err, schoolmail.ErrConflict) {
				t.Errorf("got %v", err)
			}
			for range 2 { // gone already is success
				if err := g.DeleteUser(ctx, from); err != nil {
					t.Error(err)
				}
			}
			if _, ok := srv.State().User(10, "mia.lind"); ok {
				t.Error("the source is still there")
			}
			if err := g.DeleteUser(ctx, schoolmail.Place{Context: 10, UserID: 2, Username: "oxadmin"}); !errors.Is(err,
				schoolmail.ErrConflict) {
				t.Errorf("the administrator: got %v", err)
			}
		})
	}
}

// TestCopyPreflight: OX would copy a user with an address or display name that is
// taken, and there would be two.
func TestCopyPreflight(t *testing.T) {
	t.Parallel()
	for _, observed := range []bool{false, true} {
		for name, tt := range map[string]struct {
			spoil func(*schoolmail.UserSpec)
			want  error
		}{
			"login name":   {func(s *schoolmail.UserSpec) { s.DisplayName, s.Mail = "X", "x@s.example" }, ox.ErrUserExists},
			"display name": {func(s *schoolmail.UserSpec) { s.Username, s.Mail = "x", "x@s.example" }, ox.ErrDisplayNameUsed},
			"address": {func(s *schoolmail.UserSpec) {
				s.Username, s.DisplayName, s.Mail = "x", "X",
					"MIA.lind@s.example"
			}, ox.ErrAddressUsed},
		} {
			t.Run(fmt.Sprintf("%s observed=%v", name, observed), func(t *testing.T) {
				t.Parallel()
				srv, g := district(t)
				if _, err := g.EnsureUser(t.Context(), 10, mia()); err != nil {
					t.Fatal(err)
				}
				spec := mia()
				spec.Aliases = nil
				tt.spoil(&spec)
				if _, err := g.EnsureUser(t.Context(), 20, spec); err != nil {
					t.Fatal(err)
				}
				if observed {
					if _, _, err := g.Observe(t.Context(), []schoolmail.ContextID{10, 20}); err != nil {
						t.Fatal(err)
					}
				}
				_, err := g.CopyUser(t.Context(), "mia.lind", 10, 20, mia())
				if !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if n := srv.Counts()["OXUserCopyService.copyUser"]; n != 0 {
					t.Errorf("%d copies were made", n)
				}
			})
		}
	}
}

func TestCopyServiceMissing(t *testing.T) {
	t.Parallel()
	_, g := district(t, oxtest.WithoutUserCopy())
	if _, err := g.EnsureUser(t.Context(), 10, mia()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.CopyUser(t.Context(), "mia.lind", 10, 20, mia()); !errors.Is(err, ox.ErrNoService) {
		t.Errorf("got %v", err)
	}
}

func TestDeactivatedUserIsCopiedDeactivated(t *testing.T) {
	t.Parallel()
	_, g := district(t)
	spec := mia()
	spec.MailEnabled = false
	from, err := g.EnsureUser(t.Context(), 10, spec)
	if err != nil {
		t.Fatal(err)
	}
	to, err := g.CopyUser(t.Context(), "mia.lind", 10, 20, spec)
	if err != nil || to.MailEnabled || from.MailEnabled {
		t.Errorf("got %+v, %v", to, err)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	for _, byGroup := range []bool{false, true} {
		t.Run(fmt.Sprintf("IDsFromGroup=%v", byGroup), func(t *testing.T) {
			t.Parallel()
			srv, c := start(t, &ox.Options{ChunkSize: 7})
			addContexts(t, srv, 10, 20)
			for _, id := range []int{10, 20} {
				for i := range 25 {
					if _, err := srv.State().AddUser(schoolmail.ContextID(id),
						oxtest.User{Name: fmt.Sprintf("u%d-%d", id, i), GivenName: "Zoë",
							Surname: "Müller"}); err != nil {
						t.Fatal(err)
					}
				}
			}
			g := ox.NewGroupware(c, map[schoolmail.ContextID]ox.Credentials{10: admin, 20: admin, 30: admin},
				&ox.GroupwareOptions{IDsFromGroup: byGroup})
			contexts, places, err := g.Observe(t.Context(), []schoolmail.ContextID{20, 10, 30})
			if err != nil {
				t.Fatal(err)
			}
			want := []schoolmail.Context{{ID: 10, Name: "school10", Users: 26}, {ID: 20, Name: "school20", Users: 26}}
			if diff := cmp.Diff(want, contexts); diff != "" {
				t.Error(diff)
			}
			var wantPlaces []schoolmail.Place
			for _, id := range []int{10, 20} {
				for _, u := range srv.State().Users(schoolmail.ContextID(id)) {
					wantPlaces = append(wantPlaces, schoolmail.Place{Context: schoolmail.ContextID(id), UserID: u.ID,
						Username: u.Name, Mail: u.PrimaryEmail,
						DisplayName: u.DisplayName, GivenName: u.GivenName, FamilyName: u.Surname, MailEnabled: true, Admin: u.Admin})
				}
			}
			if diff := cmp.Diff(wantPlaces, places); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestObserveIsAllOrNothing: half a picture would make users look gone.
func TestObserveIsAllOrNothing(t *testing.T) {
	t.Parallel()
	srv, g := district(t)
	srv.Inject(oxtest.Fault{Service: "OXUserService", Op: "getMultipleData", Context: 20,
		Failure: oxtest.Failure{Kind: "StorageException", Message: "disk"}})
	contexts, places, err := g.Observe(t.Context(), []schoolmail.ContextID{10, 20})
	if err == nil || contexts != nil || places != nil {
		t.Errorf("got %v, %v, %v", contexts, places, err)
	}
}

// TestWrongPasswordMakesNobodyLookGone is the trap that ox-connector steps into.
func TestWrongPasswordMakesNobodyLookGone(t *testing.T) {
	t.Parallel()
	srv, c := start(t, nil)
	addContexts(t, srv, 10)
	for _, cred := range []ox.Credentials{{Login: "oxadmin", Password: "wrong"}, {Login: "nobody", Password: "x"},
		{Login: "oxadminmaster", Password: "secret"}} {
		g := ox.NewGroupware(c, map[schoolmail.ContextID]ox.Credentials{10: cred}, nil)
		if _, err := g.User(t.Context(), 10, "mia"); !errors.Is(err, ox.ErrCredentials) ||
			errors.Is(err, schoolmail.ErrNotFound) {
			t.Errorf("%s: user: %v", cred.Login, err)
		}
		if err := g.DeleteUser(t.Context(), schoolmail.Place{Context: 10, UserID: 3, Username: "mia"}); !errors.Is(err,
			ox.ErrCredentials) {
			t.Errorf("%s: delete: %v", cred.Login, err)
		}
		if _, _, err := g.Observe(t.Context(), []schoolmail.ContextID{10}); !errors.Is(err, ox.ErrCredentials) {
			t.Errorf("%s: observe: %v", cred.Login, err)
		}
		if err := c.Context(10, cred).Ping(t.Context()); !errors.Is(err, ox.ErrCredentials) {
			t.Errorf("%s: ping: %v", cred.Login, err)
		}
	}
	if err := c.Context(10, admin).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestManyAtOnce: whatever callers do at once, the server sees one user write per
// context and one copy at a time, so that nothing fails.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	srv, g := district(t, oxtest.WithLatency(2*time.Millisecond))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			spec := mia()
			spec.Username, spec.DisplayName = fmt.Sprintf("u%d", i), fmt.Sprintf("U %d", i)
			spec.Mail, spec.Aliases = fmt.Sprintf("u%d@s.example", i), nil
			from, to := schoolmail.ContextID(10), schoolmail.ContextID(20)
			if i%2 == 1 {
				from, to = to, from
			}
			source, err := g.EnsureUser(t.Context(), from, spec)
			if err != nil {
				t.Error(err)
				return
			}
			p, err := g.CopyUser(t.Context(), spec.Username, from, to, spec)
			if err != nil {
				t.Error(err)
				return
			}
			if err := g.VerifyCopy(t.Context(), source, p); err != nil {
				t.Error(err)
			}
			if err := g.DeleteUser(t.Context(), source); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if st := g.Client().Stats(); st.Total.Retries != 0 {
		t.Errorf("%d requests had to be repeated", st.Total.Retries)
	}
	for _, id := range []int{10, 20} {
		if n := len(srv.State().Users(schoolmail.ContextID(id))); n != 11 {
			t.Errorf("context %d has %d users, want 11", id, n)
		}
	}
}

// TestLostAnswers: with answers lost before and after the work, truncated, and
// refused by a proxy, the end is the same, and nobody is there twice.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]oxtest.Failure{
		"before":    {ResetBefore: true},
		"after":     {ResetAfter: true},
		"truncated": {Truncate: 300},
		"proxy":     {Status: 502},
		"conflict":  oxtest.Conflict,
		"starting":  oxtest.Temporary,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, g := district(t)
			srv.Inject(oxtest.Fault{Rate: 0.2, Times: 10, Failure: f})
			run := func(ctx context.Context) error {
				from, err := g.EnsureUser(ctx, 10, mia())
				if err != nil {
					return err
				}
				to, err := g.CopyUser(ctx, "mia.lind", 10, 20, mia())
				if errors.Is(err, ox.ErrUserExists) { // after a copy whose answer was lost for good
					if to, err = g.EnsureUser(ctx, 20, mia()); err != nil {
						return err
					}
				}
				if err != nil {
					return err
				}
				if err := g.VerifyCopy(ctx, from, to); err != nil {
					return err
				}
				return g.DeleteUser(ctx, from)
			}
			err := run(t.Context())
			for range 10 {
				if e, ok := errors.AsType[*ox.Error](err); !ok || !e.Temporary() {
					break
				}
				err = run(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			if where := srv.State().Find("mia.lind"); !slices.Equal(where, []schoolmail.ContextID{20}) {
				t.Errorf("mia.lind is in %v", where)
			}
			if n := len(srv.State().Users(20)); n != 2 {
				t.Errorf("%d users in the target", n)
			}
		})
	}
}

// TestLanesAreKeptBusy: in a world where only the server takes time, five
// contexts are written to at the limit that their locks set, with one request for
// each user.
func TestLanesAreKeptBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const contexts, each, latency = 5, 40, 25 * time.Millisecond
		srv := oxtest.New(oxtest.WithLatency(latency))
		defer srv.Close()
		admins := make(map[schoolmail.ContextID]ox.Credentials)
		for id := 10; id < 10+contexts; id++ {
			if err := srv.State().AddContext(oxtest.Context{ID: schoolmail.ContextID(id),
				Name: fmt.Sprintf("school%d", id)}); err != nil {
				t.Fatal(err)
			}
			admins[schoolmail.ContextID(id)] = admin
		}
		c, err := ox.New([]string{"http://ox/webservices"}, ox.Credentials{Login: "oxadminmaster", Password: "secret"},
			&ox.Options{HTTPClient: srv.HTTPClient()})
		if err != nil {
			t.Fatal(err)
		}
		g := ox.NewGroupware(c, admins, nil)
		began := time.Now()
		var wg sync.WaitGroup
		for i := range contexts * each {
			wg.Go(func() {
				spec := mia()
				spec.Username, spec.DisplayName = fmt.Sprintf("u%d", i), fmt.Sprintf("U %d", i)
				spec.Mail, spec.Aliases = spec.Username+"@s.example", nil
				if _, err := g.EnsureUser(t.Context(), schoolmail.ContextID(10+i%contexts), spec); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); took != each*latency {
			t.Errorf("took %v, the limit is %v", took, each*latency)
		}
		if n := c.Stats().Total.Requests; n != contexts*each {
			t.Errorf("%d requests for %d users", n, contexts*each)
		}
	})
}
