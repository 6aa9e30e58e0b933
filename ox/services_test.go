package ox_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// school is a context with three users, 3 to 5.
func school(t *testing.T, opts ...oxtest.Option) (*oxtest.Instance, *ox.Client, *ox.ContextClient) {
	t.Helper()
	srv, c := start(t, nil, opts...)
	addContexts(t, srv, 10)
	for _, name := range []string{"anna", "beat", "carl"} {
		if _, err := srv.State().AddUser(10, oxtest.User{Name: name, PrimaryEmail: name + "@s.example"}); err != nil {
			t.Fatal(err)
		}
	}
	return srv, c, c.Context(10, admin)
}

func TestContextLife(t *testing.T) {
	t.Parallel()
	srv, c := start(t, nil)
	ctx := t.Context()
	n := ox.NewContext{ID: 42, Name: "s42", LoginMappings: []string{"s42.example"}, MaxQuota: 500,
		Attributes: map[string]map[string]string{"config": {"a": "1"}},
		Admin: ox.NewUser{Name: "oxadmin", DisplayName: "Admin", GivenName: "A", FamilyName: "B",
			PrimaryEmail: "oxadmin@s42.example",
			Password:     "pw", AccessName: "all"}}
	made, err := c.Contexts.Create(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Contexts.Create(ctx, n); !errors.Is(err, ox.ErrContextExists) ||
		!errors.Is(err, schoolmail.ErrConflict) {
		t.Errorf("again: %v", err)
	}
	got, err := c.Contexts.Get(ctx, 42)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "s42" || !got.Enabled || got.MaxQuota != 500 ||
		!slices.Equal(got.LoginMappings, []string{"s42", "s42.example"}) ||
		got.Attributes["config"]["a"] != "1" || got.WriteDatabase.Name == "" || made.ID != 42 {
		t.Errorf("got %+v", got)
	}
	// Lists show the id mapping, single reads do not; here both are the same.
	all, err := ox.Collect(c.Contexts.All(ctx))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]ox.Context{got}, all); diff != "" {
		t.Error(diff)
	}

	// A rename takes the login mapping along, which OX would not.
	if err := c.Contexts.Change(ctx, 42, ox.ContextChange{Name: new("neu"),
		MaxQuota: new(int64(ox.Unlimited))}); err != nil {
		t.Fatal(err)
	}
	got, err = c.Context(42, ox.Credentials{Login: "oxadmin", Password: "pw"}).Get(ctx)
	if err != nil || got.Name != "neu" || got.MaxQuota != ox.Unlimited ||
		!slices.Equal(got.LoginMappings, []string{"neu", "s42.example"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if ok, err := c.Contexts.NameExists(ctx, "neu"); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := c.Contexts.Exists(ctx, 43); ok || err != nil {
		t.Error(ok, err)
	}
	if id, err := c.Contexts.AdminID(ctx, 42); id != 2 || err != nil {
		t.Error(id, err)
	}

	if err := c.Contexts.Disable(ctx, 42); err != nil {
		t.Fatal(err)
	}
	if got, _ := c.Contexts.Get(ctx, 42); got.Enabled {
		t.Error("still enabled")
	}
	if err := c.Contexts.Enable(ctx, 42); err != nil {
		t.Fatal(err)
	}

	if err := c.Contexts.SetQuota(ctx, 42, ox.Quota{Module: "calendar", Limit: 1000}); err != nil {
		t.Fatal(err)
	}
	if err := c.Contexts.SetQuota(ctx, 42, ox.Quota{Module: "calender", Limit: 1}); !errors.Is(err, ox.ErrInvalidData) {
		t.Errorf("a misspelt module: %v", err)
	}
	quotas, err := c.Contexts.Quotas(ctx, 42)
	if err != nil || !slices.Equal(quotas, []ox.Quota{{Module: "calendar", Limit: 1000}}) {
		t.Errorf("got %v, %v", quotas, err)
	}
	if err := c.Contexts.ChangeCapabilities(ctx, 42, ox.CapabilityChange{Grant: []string{"foo", "bar"}}); err != nil {
		t.Fatal(err)
	}
	if caps, err := c.Contexts.Capabilities(ctx, 42); err != nil || !slices.Equal(caps, []string{"bar", "foo"}) {
		t.Errorf("got %v, %v", caps, err)
	}
	if err := c.Contexts.SetAccessName(ctx, 42, "pim"); err != nil {
		t.Fatal(err)
	}
	if name, err := c.Contexts.AccessName(ctx, 42); name != "pim" || err != nil {
		t.Error(name, err)
	}
	if err := c.Contexts.SetAccess(ctx, 42, ox.AccessWebmail|ox.AccessContacts); err != nil {
		t.Fatal(err)
	}
	if a, err := c.Contexts.Access(ctx, 42); err != nil || !a.Same(ox.AccessWebmail|ox.AccessContacts) {
		t.Error(a, err)
	}
	for range 2 { // gone is success
		if err := c.Contexts.Delete(ctx, 42); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Contexts.Get(ctx, 42); !errors.Is(err, ox.ErrNoSuchContext) {
		t.Errorf("got %v", err)
	}
	if len(srv.State().Contexts()) != 0 {
		t.Error("a context is left")
	}
}

func TestContextWindows(t *testing.T) {
	t.Parallel()
	srv, c := start(t, nil)
	addContexts(t, srv, 10, 11, 12, 13)
	for name, tt := range map[string]struct {
		seq  func(func(ox.Context, error) bool)
		want []schoolmail.ContextID
	}{
		"page of all":     {c.Contexts.Page(t.Context(), "", 1, 2), []schoolmail.ContextID{11, 12}},
		"page of some":    {c.Contexts.Page(t.Context(), "school1*", 3, 5), []schoolmail.ContextID{13}},
		"empty page":      {c.Contexts.Page(t.Context(), "", 0, 0), nil},
		"without a limit": {c.Contexts.Page(t.Context(), "", 0, -1), []schoolmail.ContextID{10, 11, 12, 13}},
		"by name":         {c.Contexts.Search(t.Context(), "school12"), []schoolmail.ContextID{12}},
	} {
		list, err := ox.Collect(tt.seq)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var ids []schoolmail.ContextID
		for _, c := range list {
			ids = append(ids, c.ID)
		}
		if !slices.Equal(ids, tt.want) {
			t.Errorf("%s: got %v, want %v", name, ids, tt.want)
		}
	}
}

func TestUserLists(t *testing.T) {
	t.Parallel()
	_, _, cc := school(t)
	for name, tt := range map[string]struct {
		q    *ox.UserQuery
		want []schoolmail.UserID
	}{
		"all":           {nil, []schoolmail.UserID{2, 3, 4, 5}},
		"pattern":       {&ox.UserQuery{Pattern: "b*"}, []schoolmail.UserID{4}},
		"any case":      {&ox.UserQuery{Pattern: "B*", IgnoreCase: true}, []schoolmail.UserID{4}},
		"window":        {&ox.UserQuery{Length: 2, Offset: 1}, []schoolmail.UserID{3, 4}},
		"alias domain":  {&ox.UserQuery{AliasDomain: "s.example"}, []schoolmail.UserID{3, 4, 5}},
		"no such alias": {&ox.UserQuery{AliasDomain: "t.example"}, nil},
	} {
		ids, err := ox.Collect(cc.Users.IDs(t.Context(), tt.q))
		slices.Sort(ids)
		if err != nil || !slices.Equal(ids, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", name, ids, err, tt.want)
		}
	}
	users, err := ox.Collect(cc.Users.Load(t.Context(), []schoolmail.UserID{3, 99, 5}))
	if err != nil || len(users) != 2 || users[0].Name != "anna" || users[1].Name != "carl" {
		t.Errorf("got %v, %v", users, err)
	}
	a, err := cc.Users.Admin(t.Context())
	if err != nil || !a.ContextAdmin || a.ID != 2 {
		t.Errorf("got %+v, %v", a, err)
	}
}

// TestUserRoundTrip writes what can be written and reads it back.
func TestUserRoundTrip(t *testing.T) {
	t.Parallel()
	_, _, cc := school(t)
	ref := ox.UserRef{Name: "anna"}
	ch := ox.UserChange{
		GivenName: new("Änna <&>"), Department: new("7b"), Note: new("line 1\nline 2"),
		Birthday:    new(schoolmail.NewDate(2012, 3, 4)),
		UploadLimit: new(1000), SpamFilterEnabled: new(true), UserField20: new("x"), IMAPServer: new("imap.s.example"),
		IMAPPort:   new(993),
		Attributes: ox.AttributesChange{"config": {"com.example": new("on"), "gone": new("x")}},
		TimeZone:   new("Europe/Zurich"),
	}
	if err := cc.Users.Change(t.Context(), ref, ch); err != nil {
		t.Fatal(err)
	}
	if err := cc.Users.Change(t.Context(), ref,
		ox.UserChange{Attributes: ox.AttributesChange{"config": {"gone": nil}}}); err != nil {
		t.Fatal(err)
	}
	u, err := cc.Users.Get(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	ch.Attributes["config"]["gone"] = nil
	if rest := ch.Minus(u); !rest.IsZero() {
		t.Errorf("did not arrive: %+v\nuser: %+v", rest, u)
	}
	if err := cc.Users.Change(t.Context(), ref, ox.UserChange{Note: new(""), Department: new("")}); err != nil {
		t.Fatal(err)
	}
	if u, err = cc.Users.Get(t.Context(), ref); err != nil || u.Note != "" || u.Department != "" || u.UserField20 != "x" {
		t.Errorf("got %+v, %v", u, err)
	}
	// A user may look at himself and nobody else.
	self := ox.Credentials{Login: "anna", Password: "secret"}
	if _, err := cc.As(self).Users.Get(t.Context(), ref); err != nil {
		t.Error(err)
	}
	if _, err := cc.As(self).Users.Get(t.Context(), ox.UserRef{Name: "beat"}); !errors.Is(err, ox.ErrPermissionDenied) {
		t.Errorf("got %v", err)
	}
}

func TestUserDeletion(t *testing.T) {
	t.Parallel()
	srv, _, cc := school(t)
	ctx := t.Context()
	if err := cc.Users.Delete(ctx, ox.Reassign{}, ox.UserRef{ID: 2}); err == nil {
		t.Error("the administrator was deleted")
	}
	// All or nothing on the server; missing ones are passed over here.
	if err := cc.Users.Delete(ctx, ox.Reassign{}, ox.Refs(3, 99, 4, 98)...); err != nil {
		t.Error(err)
	}
	if err := cc.Users.Delete(ctx, ox.DiscardShared(), ox.UserRef{Name: "nobody"}); err != nil {
		t.Error(err)
	}
	if n := len(srv.State().Users(10)); n != 2 {
		t.Errorf("%d users are left", n)
	}
	if err := cc.Users.Delete(ctx, ox.ReassignTo(77), ox.UserRef{ID: 5}); err == nil {
		t.Error("shared data went to a user who does not exist")
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	srv, _, cc := school(t)
	ctx := t.Context()
	g, err := cc.Groups.Create(ctx, ox.Group{Name: "7b", DisplayName: "Class 7b", Members: []schoolmail.UserID{3, 4}})
	if err != nil {
		t.Fatal(err)
	}
	ref := ox.GroupRef{ID: g.ID}
	if _, err := cc.Groups.Create(ctx, ox.Group{Name: "7B", DisplayName: "x"}); !errors.Is(err, ox.ErrGroupExists) {
		t.Errorf("got %v", err)
	}
	members := func() []schoolmail.UserID {
		t.Helper()
		got, err := cc.Groups.Get(ctx, ref)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got.Members)
		return got.Members
	}
	// A rename keeps the members, which OX would drop.
	if err := cc.Groups.Change(ctx, ref, ox.GroupChange{DisplayName: new("Klasse 7b")}); err != nil {
		t.Fatal(err)
	}
	if got := members(); !slices.Equal(got, []schoolmail.UserID{3, 4}) {
		t.Errorf("got %v", got)
	}
	if err := cc.Groups.AddMembers(ctx, ref, 4, 5, 5); err != nil {
		t.Fatal(err)
	}
	if got := members(); !slices.Equal(got, []schoolmail.UserID{3, 4, 5}) {
		t.Errorf("got %v", got)
	}
	if err := cc.Groups.RemoveMembers(ctx, ref, 3, 99); err != nil {
		t.Fatal(err)
	}
	if err := cc.Groups.SetMembers(ctx, ref, 3, 5); err != nil {
		t.Fatal(err)
	}
	if got := members(); !slices.Equal(got, []schoolmail.UserID{3, 5}) {
		t.Errorf("got %v", got)
	}
	srv.ResetCalls()
	if err := cc.Groups.SetMembers(ctx, ref, 5, 3); err != nil {
		t.Fatal(err)
	}
	if n := srv.Counts(); n["OXGroupService.addMember"]+n["OXGroupService.removeMember"] != 0 {
		t.Errorf("nothing to do took %v", n)
	}
	if err := cc.Groups.AddMembers(ctx, ref, 99); !errors.Is(err, ox.ErrNoSuchUser) {
		t.Errorf("got %v", err)
	}

	// The default group is never emptied.
	for name, err := range map[string]error{
		"remove": cc.Groups.RemoveMembers(ctx, ox.GroupRef{ID: ox.DefaultGroup}, 3),
		"set":    cc.Groups.SetMembers(ctx, ox.GroupRef{Name: "users"}),
		"change": cc.Groups.Change(ctx, ox.GroupRef{Name: "users"}, ox.GroupChange{DisplayName: new("x")}),
	} {
		if !errors.Is(err, ox.ErrInvalidData) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if id, err := cc.Groups.Default(ctx); id != ox.DefaultGroup || err != nil {
		t.Error(id, err)
	}

	of, err := ox.Collect(cc.Groups.OfUser(ctx, ox.UserRef{Name: "carl"}))
	if err != nil || len(of) != 2 {
		t.Errorf("got %v, %v", of, err)
	}
	found, err := ox.Collect(cc.Groups.Search(ctx, "7*"))
	if err != nil || len(found) != 1 || found[0].DisplayName != "Klasse 7b" {
		t.Errorf("got %v, %v", found, err)
	}
	loaded, err := ox.Collect(cc.Groups.Load(ctx, []ox.GroupID{g.ID, 98, ox.DefaultGroup}))
	if err != nil || len(loaded) != 2 {
		t.Errorf("got %v, %v", loaded, err)
	}
	all, err := ox.Collect(cc.Groups.All(ctx))
	if err != nil || len(all) < 2 {
		t.Errorf("got %v, %v", all, err)
	}
	if err := cc.Groups.Delete(ctx, ref, ox.GroupRef{ID: 98}, ox.GroupRef{Name: "nothing"}); err != nil {
		t.Error(err)
	}
	if _, err := cc.Groups.Get(ctx, ref); !errors.Is(err, ox.ErrNoSuchGroup) || !errors.Is(err, schoolmail.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestAddMembersAfterALostAnswer: adding is not repeatable on the server, so the
// group is looked at.
func TestAddMembersAfterALostAnswer(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]oxtest.Failure{"before": {ResetBefore: true}, "after": {ResetAfter: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, _, cc := school(t)
			g, err := cc.Groups.Create(t.Context(), ox.Group{Name: "7b", DisplayName: "Class 7b",
				Members: []schoolmail.UserID{3}})
			if err != nil {
				t.Fatal(err)
			}
			srv.Inject(oxtest.Fault{Op: "addMember", Times: 2, Failure: f})
			if err := cc.Groups.AddMembers(t.Context(), ox.GroupRef{ID: g.ID}, 4, 5); err != nil {
				t.Fatal(err)
			}
			if got, _ := cc.Groups.Get(t.Context(), ox.GroupRef{ID: g.ID}); len(got.Members) != 3 {
				t.Errorf("got %v", got.Members)
			}
		})
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	_, _, cc := school(t)
	ctx := t.Context()
	r, err := cc.Resources.Create(ctx, ox.Resource{Name: "beamer", DisplayName: "Beamer", Email: "beamer@s.example",
		Available: true})
	if err != nil {
		t.Fatal(err)
	}
	ref := ox.ResourceRef{ID: r.ID}
	if err := cc.Resources.Change(ctx, ref, ox.ResourceChange{Description: new("in room 5"),
		Permissions: []ox.ResourcePermission{{Entity: 0, Group: true, Privilege: ox.AskToBook},
			{Entity: 3, Privilege: ox.Delegate}}}); err != nil {
		t.Fatal(err)
	}
	if err := cc.Resources.Change(ctx, ref, ox.ResourceChange{Permissions: []ox.ResourcePermission{{Group: true,
		Privilege: ox.AskToBook}}}); !errors.Is(err, ox.ErrInvalidData) {
		t.Errorf("asking nobody: %v", err)
	}
	got, err := cc.Resources.Get(ctx, ox.ResourceRef{Name: "beamer"})
	if err != nil || got.Description != "in room 5" || got.DisplayName != "Beamer" || len(got.Permissions) != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, seq := range map[string]func(func(ox.Resource, error) bool){
		"all": cc.Resources.All(ctx), "search": cc.Resources.Search(ctx, "b*"),
		"load": cc.Resources.Load(ctx, []ox.ResourceID{r.ID, 99}),
	} {
		list, err := ox.Collect(seq)
		if err != nil || len(list) != 1 || list[0].ID != r.ID {
			t.Errorf("%s: got %v, %v", name, list, err)
		}
	}
	for range 2 {
		if err := cc.Resources.Delete(ctx, ref); err != nil {
			t.Error(err)
		}
	}
	if _, err := cc.Resources.Get(ctx, ref); !errors.Is(err, ox.ErrNoSuchResource) {
		t.Errorf("got %v", err)
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	_, _, cc := school(t)
	ctx := t.Context()
	holders := ox.AccountHolders{Users: []schoolmail.UserID{3, 4}}
	n := ox.NewAccount{Account: ox.Account{Name: "Office", PrimaryAddress: "office@s.example", Personal: "The office",
		Mail: ox.MailServer{Login: "office", Password: "pw"}}, MailSource: ox.EndpointPrimary,
		TransportSource: ox.EndpointPrimary}
	if err := cc.Accounts.Create(ctx, n, holders); err != nil {
		t.Fatal(err)
	}
	if changed, err := cc.Accounts.Change(ctx, "office@s.example", ox.AccountChange{Personal: new("Sekretariat")},
		holders); !changed || err != nil {
		t.Error(changed, err)
	}
	list, err := ox.Collect(cc.Accounts.All(ctx, holders))
	if err != nil || len(list) != 2 || list[0].Personal != "Sekretariat" || list[0].Mail.Login != "office" {
		t.Errorf("got %+v, %v", list, err)
	}
	if gone, err := cc.Accounts.Delete(ctx, "office@s.example", holders); !gone || err != nil {
		t.Error(gone, err)
	}
	if gone, err := cc.Accounts.Delete(ctx, "office@s.example", holders); gone || err != nil {
		t.Error(gone, err)
	}
	if err := cc.Accounts.Create(ctx, n, ox.AccountHolders{}); !errors.Is(err, ox.ErrInvalidData) {
		t.Errorf("for nobody: %v", err)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	_, c, cc := school(t)
	ctx := t.Context()
	dbs, err := ox.Collect(c.Cluster.Databases(ctx, ""))
	if err != nil || len(dbs) == 0 {
		t.Fatalf("got %v, %v", dbs, err)
	}
	if s := fmt.Sprintf("%+v %#v", dbs[0], dbs[0]); dbs[0].Password != "" &&
		strings.Contains(s, dbs[0].Password.Reveal()) {
		t.Error("a database password prints")
	}
	if _, err := c.Cluster.CheckDatabases(ctx); err != nil {
		t.Error(err)
	}
	on, err := ox.Collect(c.Contexts.OnDatabase(ctx, dbs[0].ID, nil))
	if err != nil || len(on) != 1 {
		t.Errorf("got %v, %v", on, err)
	}
	stores, err := ox.Collect(c.Cluster.Filestores(ctx, ""))
	if err != nil || len(stores) == 0 {
		t.Fatalf("got %v, %v", stores, err)
	}
	if on, err = ox.Collect(c.Contexts.OnFilestore(ctx, stores[0].ID, &ox.Window{Offset: 0, Length: 10})); err != nil ||
		len(on) != 1 {
		t.Errorf("got %v, %v", on, err)
	}
	s, err := c.Cluster.RegisterServer(ctx, "node5")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := ox.Collect(c.Cluster.Servers(ctx, "node*")); err != nil || !slices.Contains(list, s) {
		t.Errorf("got %v, %v", list, err)
	}
	if err := c.Cluster.UnregisterServer(ctx, s.ID); err != nil {
		t.Error(err)
	}
	fs, err := c.Cluster.RegisterFilestore(ctx, ox.FilestoreChange{URL: new("file:/srv/ox2"), Size: new(int64(1000)),
		MaxContexts: new(50)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Cluster.ChangeFilestore(ctx, fs.ID, ox.FilestoreChange{Size: new(int64(2000))}); err != nil {
		t.Error(err)
	}
	if err := c.Cluster.UnregisterFilestore(ctx, fs.ID); err != nil {
		t.Error(err)
	}
	r, err := c.Cluster.CreateMaintenanceReason(ctx, "holidays")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := ox.Collect(c.Cluster.MaintenanceReasons(ctx, "holi*")); err != nil || !slices.Contains(list, r) {
		t.Errorf("got %v, %v", list, err)
	}
	if err := c.Cluster.DeleteMaintenanceReasons(ctx, r.ID); err != nil {
		t.Error(err)
	}
	if err := c.Cluster.CheckCounts(ctx, true, true); err != nil {
		t.Error(err)
	}
	if err := c.Cluster.ChangeAccessEverywhere(ctx, "pim", ox.AccessGlobalAddressBookDisabled, 0); !errors.Is(err,
		ox.ErrInvalidData) {
		t.Errorf("got %v", err)
	}
	if _, err := cc.Jobs.List(ctx); err != nil {
		t.Error(err)
	}
	if _, err := c.Jobs(10).List(ctx); err != nil {
		t.Error(err)
	}
	if err := cc.Jobs.Flush(ctx); err != nil {
		t.Error(err)
	}
}

// TestOtherServers: an older release, one without fault details, and one that
// lets the master act for everybody.
func TestOtherServers(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]oxtest.Option{
		"7.10": oxtest.WithVersion(oxtest.Version710), "no detail": oxtest.WithoutFaultDetail(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, g := district(t, opt)
			from, err := g.EnsureUser(t.Context(), 10, mia())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := g.EnsureUser(t.Context(), 10, mia()); err != nil {
				t.Fatal(err)
			}
			to, err := g.CopyUser(t.Context(), "mia.lind", 10, 20, mia())
			if err != nil {
				t.Fatal(err)
			}
			if err := g.VerifyCopy(t.Context(), from, to); err != nil {
				t.Error(err)
			}
			for range 2 {
				if err := g.DeleteUser(t.Context(), from); err != nil {
					t.Error(err)
				}
			}
			if _, err := g.User(t.Context(), 10, "mia.lind"); !errors.Is(err, schoolmail.ErrNotFound) {
				t.Errorf("got %v", err)
			}
			if err := g.EnsureContext(t.Context(), schoolmail.ContextSpec{ID: 30, Name: "c30"}); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("master override", func(t *testing.T) {
		t.Parallel()
		srv, c := start(t, nil, oxtest.WithMasterOverride())
		addContexts(t, srv, 10)
		g := ox.NewGroupware(c, map[schoolmail.ContextID]ox.Credentials{10: {Login: "oxadminmaster", Password: "secret"}},
			nil)
		if _, err := g.EnsureUser(t.Context(), 10, mia()); err != nil {
			t.Error(err)
		}
	})
}

// TestSchemaUpdate: while the schema is locked, work waits; then it goes on.
func TestSchemaUpdate(t *testing.T) {
	t.Parallel()
	srv := testlife.Of(oxtest.Start())(t)
	addContexts(t, srv, 10)
	c10, _ := srv.State().Context(10)
	srv.State().SetUpdating(c10.Schema, true)
	refused := 0
	c, err := ox.New([]string{srv.SOAPURL}, ox.Credentials{Login: "oxadminmaster", Password: "secret"}, &ox.Options{
		HTTPClient: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err == nil && resp.StatusCode == http.StatusInternalServerError {
				refused++
				srv.State().SetUpdating(c10.Schema, false) // the update ends
			}
			return resp, err
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	g := ox.NewGroupware(c, map[schoolmail.ContextID]ox.Credentials{10: admin}, nil)
	if _, err := g.EnsureUser(t.Context(), 10, mia()); err != nil {
		t.Fatal(err)
	}
	if st := c.Stats(); refused != 1 || st.Total.Retries != 1 {
		t.Errorf("%d refusals, %+v", refused, st.Total)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAnotherProgramWrites: two clients that do not know of each other write into
// one context. The server lets them fail after a while; the clients wait.
func TestAnotherProgramWrites(t *testing.T) {
	t.Parallel()
	srv, g := district(t, oxtest.WithLatency(time.Millisecond), oxtest.WithLockPause(time.Millisecond))
	other, err := ox.New([]string{srv.SOAPURL}, ox.Credentials{Login: "oxadminmaster", Password: "secret"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	admins := map[schoolmail.ContextID]ox.Credentials{10: admin}
	var wg sync.WaitGroup
	for i, g := range []*ox.Groupware{g, ox.NewGroupware(other, admins, nil)} {
		for n := range 30 {
			wg.Go(func() {
				spec := mia()
				spec.Username, spec.DisplayName = fmt.Sprintf("u%d.%d", i, n), fmt.Sprintf("U %d %d", i, n)
				spec.Mail, spec.Aliases = spec.Username+"@s.example", nil
				if _, err := g.EnsureUser(t.Context(), 10, spec); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if n := len(srv.State().Users(10)); n != 61 {
		t.Errorf("%d users, want 61", n)
	}
}
