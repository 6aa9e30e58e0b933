package appsuite_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// newServer is an OX with context 17 and its users "books" (who may edit public
// folders), "mia" and "tim" (who does not see the global address book), and a
// group "7b" with tim.
func newServer(t testing.TB, opts ...oxtest.Option) *oxtest.Server {
	t.Helper()
	s := oxtest.New(opts...)
	t.Cleanup(func() { s.Close() })
	if err := s.State().AddContext(oxtest.Context{ID: 17, Name: "school17", Access: "all"}); err != nil {
		t.Fatal(err)
	}
	for _, u := range []oxtest.User{
		{Name: "books", DisplayName: "Books", Access: "groupware_standard"},
		{Name: "mia", DisplayName: "Mia Muster", GivenName: "Mia", Surname: "Muster", Access: "groupware_standard"},
		{Name: "tim", DisplayName: "Tim Tester", Access: "pim"},
	} {
		if _, err := s.State().AddUser(17, u); err != nil {
			t.Fatal(err)
		}
	}
	tim, _ := s.State().User(17, "tim")
	if _, err := s.State().AddGroup(17, oxtest.Group{Name: "7b", Members: []schoolmail.UserID{tim.ID}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func newClient(t testing.TB, s *oxtest.Server, o appsuite.Options) *appsuite.Client {
	t.Helper()
	o.HTTPClient = s.HTTPClient()
	c, err := appsuite.New("http://ox.example/ajax/", &o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func login(t testing.TB, c *appsuite.Client, name string) *appsuite.Session {
	t.Helper()
	s, err := c.Login(t.Context(), appsuite.Credentials{Name: name + "@school17", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func makeFolder(t testing.TB, s *appsuite.Session, title string, perms ...appsuite.Permission) appsuite.FolderID {
	t.Helper()
	perms = append([]appsuite.Permission{{Entity: appsuite.UserEntity(s.UserID()), Rights: appsuite.Owner()}}, perms...)
	id, err := s.CreateFolder(t.Context(), appsuite.CreateFolder{Parent: appsuite.PublicFolder, Title: title,
		Permissions: perms})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestFolders(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	c := newClient(t, srv, appsuite.Options{})
	s, tim := login(t, c, "books"), login(t, c, "tim")
	if s.Context() != 17 {
		t.Errorf("context %d", s.Context())
	}
	groups, err := appsuite.Collect(s.Groups(t.Context()))
	if err != nil || len(groups) != 1 || groups[0].Name != "7b" ||
		!slices.Equal(groups[0].Members, []schoolmail.UserID{tim.UserID()}) {
		t.Fatalf("groups %+v, %v", groups, err)
	}
	readers := appsuite.Permission{Entity: appsuite.GroupEntity(groups[0].ID), Rights: appsuite.ReadOnly()}
	top := makeFolder(t, s, "School", appsuite.Permission{Entity: appsuite.Everybody(), Rights: appsuite.SeeOnly()})
	class, err := s.CreateFolder(t.Context(), appsuite.CreateFolder{Parent: top, Title: "7b",
		Permissions: []appsuite.Permission{
			{Entity: appsuite.UserEntity(s.UserID()), Rights: appsuite.Owner()}, readers}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Folder(t.Context(), class)
	if err != nil {
		t.Fatal(err)
	}
	want := appsuite.Folder{ID: class, Parent: top, Title: "7b", Module: "contacts", Type: appsuite.PublicType,
		OwnRights:   appsuite.Owner(),
		Permissions: []appsuite.Permission{{Entity: appsuite.UserEntity(s.UserID()), Rights: appsuite.Owner()}, readers},
		CreatedBy:   s.UserID(), Modified: f.Modified}
	if d := cmp.Diff(want, f); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	var seen []string
	for f, err := range tim.VisibleFolders(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, f.Title+" "+f.OwnRights.String())
	}
	if want := []string{"Contacts owner", "School see only", "7b read only"}; !slices.Equal(seen, want) {
		t.Errorf("tim sees %v, want %v", seen, want)
	}
	below, err := appsuite.Collect(s.Folders(t.Context(), top))
	if err != nil || len(below) != 1 || !below[0].ID.Same(class) {
		t.Errorf("below: %+v, %v", below, err)
	}
	if _, err := s.CreateFolder(t.Context(), appsuite.CreateFolder{Parent: top, Title: "7b",
		Permissions: want.Permissions}); !errors.Is(err, appsuite.ErrDuplicate) {
		t.Errorf("second folder of that title: %v", err)
	}
	if _, err := s.UpdateFolder(t.Context(), appsuite.UpdateFolder{ID: class, Timestamp: f.Modified - 1,
		Title: "8b"}); !errors.Is(err, appsuite.ErrConflict) {
		t.Errorf("old timestamp: %v", err)
	}
	if _, err := s.UpdateFolder(t.Context(), appsuite.UpdateFolder{ID: class, Timestamp: f.Modified,
		Title: "8b"}); err != nil {
		t.Error(err)
	}
	if _, err := tim.UpdateFolder(t.Context(), appsuite.UpdateFolder{ID: class, Title: "mine"}); !errors.Is(err,
		appsuite.ErrPermission) {
		t.Errorf("update by a reader: %v", err)
	}
	if err := tim.DeleteFolder(t.Context(), appsuite.DeleteFolder{ID: class}); !errors.Is(err, appsuite.ErrPermission) {
		t.Errorf("delete by a reader: %v", err)
	}
	if err := s.DeleteFolder(t.Context(), appsuite.DeleteFolder{ID: top}); err != nil {
		t.Error(err)
	}
	if _, err := s.Folder(t.Context(), class); !errors.Is(err, appsuite.ErrNotFound) {
		t.Errorf("after the deletion: %v", err)
	}
}

func TestContacts(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	c := newClient(t, srv, appsuite.Options{})
	s, tim := login(t, c, "books"), login(t, c, "tim")
	f := makeFolder(t, s, "Class", appsuite.Permission{Entity: appsuite.Everybody(), Rights: appsuite.ReadOnly()})
	fields := appsuite.Fields{
		appsuite.DisplayName: "Muster, \"Anna\"", appsuite.GivenName: "Änna", appsuite.FamilyName: "=Muster()",
		appsuite.Email1:         "anna@x.example",
		appsuite.PhoneBusiness1: "+41 31 000 00 00", appsuite.Note: "two\nlines", appsuite.Birthday: "2010-12-24",
		appsuite.UserField01: "key-1", appsuite.UID: "uid-1", "private_flag": "",
	}
	id, ts, err := s.CreateContact(t.Context(), appsuite.CreateContact{Folder: f, Fields: fields})
	if err != nil {
		t.Fatal(err)
	}
	delete(fields, "private_flag")
	got, err := tim.Contact(t.Context(), f, id)
	if err != nil {
		t.Fatal(err)
	}
	want := appsuite.Contact{ID: id, Folder: f, Modified: ts, CreatedBy: s.UserID(), Fields: fields}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("get (-want +got)\n%s", d)
	}
	all, err := appsuite.Collect(tim.Contacts(t.Context(), f, slices.Sorted(maps.Keys(fields))...))
	if d := cmp.Diff([]appsuite.Contact{want}, all); d != "" || err != nil {
		t.Errorf("all: %v (-want +got)\n%s", err, d)
	}
	byID, err := appsuite.Collect(tim.ContactsByID(t.Context(), []appsuite.ContactRef{{Folder: f, ID: id},
		{Folder: f, ID: "99999"}}, slices.Sorted(maps.Keys(fields))...))
	if d := cmp.Diff([]appsuite.Contact{want}, byID); d != "" || err != nil {
		t.Errorf("list: %v (-want +got)\n%s", err, d)
	}
	ts2, err := s.UpdateContact(t.Context(), appsuite.UpdateContact{Folder: f, ID: id, Timestamp: ts,
		Fields: appsuite.Fields{appsuite.Birthday: "", appsuite.Department: "7b"}})
	if err != nil || ts2 <= ts {
		t.Errorf("update: %v %v", ts2, err)
	}
	_, err = s.UpdateContact(t.Context(), appsuite.UpdateContact{Folder: f, ID: id, Timestamp: ts,
		Fields: appsuite.Fields{appsuite.Department: "8b"}})
	if e, _ := errors.AsType[*appsuite.Error](err); !errors.Is(err, appsuite.ErrConflict) || e.Code != "CON-0119" ||
		e.Categories[0] != appsuite.CategoryConflict {
		t.Errorf("update from an old read: %v", err)
	}
	if got, err = s.Contact(t.Context(), f, id); err != nil || got.Fields[appsuite.Department] != "7b" ||
		got.Fields[appsuite.Birthday] != "" {
		t.Errorf("after the update: %+v, %v", got, err)
	}
	for name, op := range map[string]func() error{
		"create": func() error {
			_, _, err := tim.CreateContact(t.Context(), appsuite.CreateContact{Folder: f,
				Fields: appsuite.Fields{appsuite.DisplayName: "x"}})
			return err
		},
		"update": func() error {
			_, err := tim.UpdateContact(t.Context(), appsuite.UpdateContact{Folder: f, ID: id,
				Timestamp: appsuite.Unconditional})
			return err
		},
		"delete": func() error { return tim.DeleteContacts(t.Context(), f, appsuite.Unconditional, id) },
	} {
		if err := op(); !errors.Is(err, appsuite.ErrPermission) {
			t.Errorf("%s by a reader: %v", name, err)
		}
	}
	if err := s.DeleteContacts(t.Context(), f, ts2, id, "99999"); !errors.Is(err, appsuite.ErrNotFound) {
		t.Errorf("delete with one that is not there: %v", err)
	}
	if err := s.DeleteContacts(t.Context(), f, ts2, id); err != nil {
		t.Error(err)
	}
	if _, err := s.Contact(t.Context(), f, id); !errors.Is(err, appsuite.ErrNotFound) {
		t.Errorf("after the deletion: %v", err)
	}
	if _, _, err := s.CreateContact(t.Context(), appsuite.CreateContact{Folder: f,
		Fields: appsuite.Fields{appsuite.Department: strings.Repeat("d", 129)}}); !errors.Is(err, appsuite.ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	if _, err := appsuite.Collect(tim.Contacts(t.Context(), appsuite.GlobalAddressBook)); !errors.Is(err,
		appsuite.ErrPermission) {
		t.Errorf("closed global address book: %v", err)
	}
}

func TestDistributionList(t *testing.T) {
	t.Parallel()
	s := login(t, newClient(t, newServer(t), appsuite.Options{}), "books")
	f := makeFolder(t, s, "Class")
	anna, _, err := s.CreateContact(t.Context(), appsuite.CreateContact{Folder: f,
		Fields: appsuite.Fields{appsuite.DisplayName: "Anna", appsuite.Email1: "a@x.example"}})
	if err != nil {
		t.Fatal(err)
	}
	members := []appsuite.Member{
		{DisplayName: "Beat", Mail: "b@x.example"},
		{DisplayName: "Anna", Mail: "a@x.example", MailField: 1, Contact: anna, Folder: f},
	}
	id, ts, err := s.CreateContact(t.Context(), appsuite.CreateContact{Folder: f, List: true, Members: members,
		Fields: appsuite.Fields{appsuite.DisplayName: "7b (all)"}})
	if err != nil {
		t.Fatal(err)
	}
	read := func() []appsuite.Member {
		t.Helper()
		for c, err := range s.Contacts(t.Context(), f, appsuite.DisplayName, appsuite.DistributionList) {
			if err != nil {
				t.Fatal(err)
			}
			if c.List {
				return c.Members
			}
		}
		return nil
	}
	if d := cmp.Diff(members, read()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if ts, err = s.UpdateContact(t.Context(), appsuite.UpdateContact{Folder: f, ID: id, Timestamp: ts,
		Fields: appsuite.Fields{appsuite.Note: "x"}}); err != nil {
		t.Fatal(err)
	}
	if len(read()) != 2 {
		t.Error("an update without members must keep them")
	}
	if _, err := s.UpdateContact(t.Context(), appsuite.UpdateContact{Folder: f, ID: id, Timestamp: ts,
		Members: members[:1]}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(members[:1], read()); d != "" {
		t.Errorf("after replacing (-want +got)\n%s", d)
	}
}

func TestWriteAndListings(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	c := newClient(t, srv, appsuite.Options{BatchSize: 10})
	s := login(t, c, "books")
	var ops []appsuite.Op
	for i := range 12 {
		ops = append(ops, appsuite.CreateFolder{Parent: appsuite.PublicFolder, Title: fmt.Sprintf("Class %d", i%11),
			Permissions: []appsuite.Permission{{Entity: appsuite.UserEntity(s.UserID()), Rights: appsuite.Owner()}}})
	}
	made, err := s.Write(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	var folders []appsuite.FolderID
	ops = nil
	for i, r := range made {
		if i == 11 {
			if !errors.Is(r.Err, appsuite.ErrDuplicate) {
				t.Errorf("twelfth folder: %v", r.Err)
			}
			continue
		}
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		folders = append(folders, r.Folder)
		for k := range i {
			ops = append(ops, appsuite.CreateContact{Folder: r.Folder,
				Fields: appsuite.Fields{appsuite.DisplayName: fmt.Sprint(k)}})
		}
	}
	if _, err := s.Write(t.Context(), ops); err != nil {
		t.Fatal(err)
	}
	srv.ResetCalls()
	n := 0
	asked := append(slices.Clone(folders), "4711")
	for l, err := range s.Listings(t.Context(), asked, appsuite.DisplayName) {
		if err != nil {
			t.Fatal(err)
		}
		if n == 11 {
			if !errors.Is(l.Err, appsuite.ErrNotFound) || l.Folder != "4711" {
				t.Errorf("unknown folder: %+v", l)
			}
		} else if l.Err != nil || len(l.Contacts) != n || l.Folder != folders[n] {
			t.Errorf("folder %d: %d contacts, %v", n, len(l.Contacts), l.Err)
		}
		n++
	}
	if n != 12 {
		t.Errorf("%d listings", n)
	}
	if requests, _, _ := srv.Requests(); requests != 2 {
		t.Errorf("%d requests for 12 folders", requests)
	}
	for l, err := range s.Listings(t.Context(), folders) {
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Contacts) == 3 {
			break
		}
	}
	if requests, _, _ := srv.Requests(); requests != 3 {
		t.Errorf("%d requests: a list that is left early must not be read on", requests)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	c := newClient(t, newServer(t), appsuite.Options{})
	s, tim := login(t, c, "books"), login(t, c, "tim")
	users := func(s *appsuite.Session) map[string]appsuite.User {
		out := map[string]appsuite.User{}
		for u, err := range s.Users(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			out[u.DisplayName] = u
		}
		return out
	}
	open, shut := users(s), users(tim)
	if len(open) != 4 || len(shut) != 4 {
		t.Fatalf("%d and %d users", len(open), len(shut))
	}
	if u := open["Mia Muster"]; u.Login != "mia" || u.Mail != "mia@school17.example" || len(u.Aliases) == 0 ||
		u.Contact == "" || u.ID == 0 {
		t.Errorf("open: %+v", u)
	}
	if u := shut["Mia Muster"]; u.Login != "" || u.Mail != "mia@school17.example" || len(u.Aliases) != 0 {
		t.Errorf("closed: %+v", u)
	}
	me, err := tim.Me(t.Context())
	if err != nil || me.Login != "tim" || me.ID != tim.UserID() || me.Admin != 2 || me.Context != 17 {
		t.Errorf("me: %+v, %v", me, err)
	}
	caps, err := tim.Capabilities(t.Context())
	if err != nil || slices.Contains(caps, "gab") || !slices.Contains(caps, "contacts") {
		t.Errorf("capabilities %v, %v", caps, err)
	}
}

func TestImportAndExport(t *testing.T) {
	t.Parallel()
	s := login(t, newClient(t, newServer(t), appsuite.Options{ImportChunk: 2}), "books")
	f := makeFolder(t, s, "Class")
	cols := []appsuite.Column{appsuite.DisplayName, appsuite.GivenName, appsuite.FamilyName, appsuite.Email1,
		appsuite.Note, appsuite.Birthday, appsuite.UserField01}
	in := []appsuite.Contact{
		{Fields: appsuite.Fields{appsuite.DisplayName: "Anna Muster", appsuite.Email1: "a1@x.example",
			appsuite.UserField01: "k1", appsuite.Birthday: "2010-12-24"}},
		{Fields: appsuite.Fields{appsuite.DisplayName: "Anna Muster", appsuite.Email1: "a2@x.example",
			appsuite.UserField01: "k2"}},
		{Fields: appsuite.Fields{appsuite.DisplayName: "Müller; \"x\", y", appsuite.Note: "two\nlines",
			appsuite.UserField01: "k3"}},
		{Fields: appsuite.Fields{appsuite.DisplayName: "Bad", appsuite.Email1: "a b@x", appsuite.UserField01: "k4"}},
		{Fields: appsuite.Fields{appsuite.Note: "no name", appsuite.UserField01: "k5"}},
	}
	results, err := s.ImportCSV(t.Context(), f, cols, in)
	if err != nil || len(results) != 5 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for i, r := range results {
		switch i {
		case 3:
			if r.Contact == "" || !errors.Is(r.Err, appsuite.ErrInvalid) {
				t.Errorf("a row written with a warning: %+v", r)
			}
		case 4:
			if r.Contact != "" || !errors.Is(r.Err, appsuite.ErrInvalid) {
				t.Errorf("a row not written: %+v", r)
			}
		default:
			if r.Contact == "" || r.Err != nil {
				t.Errorf("row %d: %+v", i, r)
			}
		}
	}
	want := []appsuite.Fields{in[0].Fields, in[1].Fields, in[2].Fields,
		{appsuite.DisplayName: "Bad", appsuite.UserField01: "k4"}}
	var got []appsuite.Fields
	for c, err := range s.Contacts(t.Context(), f, cols...) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c.Fields)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("stored (-want +got)\n%s", d)
	}
	file, err := s.ExportCSV(t.Context(), f, cols...)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for c, err := range appsuite.ReadCSV(bytes.NewReader(text)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c.Fields)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("exported (-want +got)\n%s", d)
	}
	if _, err := s.ImportCSV(t.Context(), f, cols,
		[]appsuite.Contact{{Fields: appsuite.Fields{appsuite.DisplayName: strings.Repeat("x", 321)}}}); !errors.Is(err,
		appsuite.ErrTooLong) {
		t.Errorf("a value that OX would cut: %v", err)
	}
	refused, err := s.ImportCSV(t.Context(), appsuite.PublicFolder, cols, in)
	if err != nil || !errors.Is(refused[0].Err, appsuite.ErrPermission) ||
		!errors.Is(refused[4].Err, appsuite.ErrPermission) {
		t.Errorf("into a folder that takes none: %v, %v", refused[0].Err, err)
	}
}

func TestImportLimitIsNoticed(t *testing.T) {
	t.Parallel()
	srv := newServer(t, oxtest.WithHTTP(&oxtest.HTTPOptions{ImportLimit: 2}))
	s := login(t, newClient(t, srv, appsuite.Options{}), "books")
	f := makeFolder(t, s, "Class")
	var in []appsuite.Contact
	for i := range 5 {
		in = append(in, appsuite.Contact{Fields: appsuite.Fields{appsuite.DisplayName: fmt.Sprint(i)}})
	}
	got, err := s.ImportCSV(t.Context(), f, []appsuite.Column{appsuite.DisplayName, appsuite.Email1}, in)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		if dropped := i >= 3; errors.Is(r.Err, appsuite.ErrQuota) != dropped {
			t.Errorf("row %d: %v", i, r.Err)
		}
	}
}

func TestSessionSurvivesRestart(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	c := newClient(t, srv, appsuite.Options{})
	s := login(t, c, "books")
	f := makeFolder(t, s, "Class")
	srv.EndSessions(0)
	results, err := s.Write(t.Context(), []appsuite.Op{
		appsuite.CreateContact{Folder: f, Fields: appsuite.Fields{appsuite.DisplayName: "A"}},
		appsuite.CreateContact{Folder: f, Fields: appsuite.Fields{appsuite.DisplayName: "B"}},
	})
	if err != nil || results[0].Err != nil || results[1].Err != nil {
		t.Fatalf("%+v, %v", results, err)
	}
	srv.EndSessions(0)
	file, err := s.ExportCSV(t.Context(), f) // here a dead session is an HTML page
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if st := c.Stats(); st.Logins != 3 || st.Retries != 2 {
		t.Errorf("stats %+v", st)
	}
	if err := s.Logout(t.Context()); err != nil {
		t.Error(err)
	}
	if srv.OpenSessions() != 0 {
		t.Errorf("%d sessions left", srv.OpenSessions())
	}
}

func TestPacingKeepsBelowTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		c := newClient(t, srv, appsuite.Options{})
		s := login(t, c, "books")
		start := time.Now()
		for range 3100 {
			if _, err := s.Me(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if st := c.Stats(); st.Limited != 0 || st.Total() != 3101 {
			t.Errorf("limited %d times in %d requests", st.Limited, st.Total())
		}
		if d := time.Since(start); d < 10*time.Minute || d > 11*time.Minute {
			t.Errorf("3101 requests took %v", d)
		}
		// Without pacing the server's own word is obeyed.
		rude := newClient(t, srv, appsuite.Options{Rate: appsuite.Rate{Requests: -1}, UserAgent: "rude/1"})
		s = login(t, rude, "books")
		for range 1600 {
			if _, err := s.Me(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if st := rude.Stats(); st.Limited != 1 {
			t.Errorf("limited %d times", st.Limited)
		}
	})
}

func TestLoginLockIsNotTriggered(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	c := newClient(t, srv, appsuite.Options{})
	for i := range 60 {
		if _, err := c.Login(t.Context(), appsuite.Credentials{Name: fmt.Sprintf("books@ctx%d", i),
			Password: "secret"}); !errors.Is(err, appsuite.ErrLogin) {
			t.Fatalf("got %v", err)
		}
	}
	other := newClient(t, srv, appsuite.Options{})
	login(t, other, "books") // the address is not locked
}

func TestLostAnswersAndCrashes(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	s := login(t, newClient(t, srv, appsuite.Options{}), "books")
	f := makeFolder(t, s, "Class")
	count := func() int {
		t.Helper()
		all, err := appsuite.Collect(s.Contacts(t.Context(), f))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	create := func() error {
		_, _, err := s.CreateContact(t.Context(), appsuite.CreateContact{Folder: f,
			Fields: appsuite.Fields{appsuite.DisplayName: "A"}})
		return err
	}
	for name, tc := range map[string]struct {
		fail  oxtest.Failure
		want  error
		wrote int
	}{
		"dropped before": {oxtest.Failure{ResetBefore: true}, appsuite.ErrUncertain, 0},
		"dropped after":  {oxtest.Failure{ResetAfter: true}, appsuite.ErrUncertain, 1},
		"cut off":        {oxtest.Failure{Truncate: 5}, appsuite.ErrUncertain, 1},
		"bad gateway":    {oxtest.Failure{Status: 502}, appsuite.ErrUncertain, 0},
		"try again":      {oxtest.Failure{Kind: "XYZ-0001"}, appsuite.ErrUnavailable, 0},
	} {
		before := count()
		srv.Inject(oxtest.Fault{Service: "http", Op: "contacts new", Times: 1, Failure: tc.fail})
		if err := create(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if n := count() - before; n != tc.wrote {
			t.Errorf("%s: wrote %d", name, n)
		}
	}
	srv.Inject(oxtest.Fault{Service: "http", Op: "contacts all", Times: 1, Failure: oxtest.Failure{ResetBefore: true}})
	count() // a read is repeated
}
