package addressbook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// world is a simulated Open-Xchange with a context for each that the accounts name.
type world struct {
	t        *testing.T
	server   *oxtest.Server
	soap     *ox.Client
	client   *appsuite.Client
	contexts map[schoolmail.ContextID]*ox.ContextClient
	users    map[schoolmail.ContextID]map[string]schoolmail.UserID
	stores   map[schoolmail.ContextID]Store
}

const (
	someURL      = "http://ox.invalid/" // the server is reached without a socket
	somePassword = schoolmail.Secret("correct horse")
)

func newWorld(t *testing.T, people []schoolmail.Account, h oxtest.HTTPOptions) *world {
	t.Helper()
	w := &world{
		t:        t,
		server:   oxtest.New(oxtest.WithHTTP(&h)),
		contexts: map[schoolmail.ContextID]*ox.ContextClient{},
		users:    map[schoolmail.ContextID]map[string]schoolmail.UserID{},
		stores:   map[schoolmail.ContextID]Store{},
	}
	t.Cleanup(func() { w.server.Close() })
	var err error
	w.soap, err = ox.New([]string{someURL + "webservices"}, ox.Credentials{Login: "oxadminmaster", Password: "secret"},
		&ox.Options{HTTPClient: w.server.HTTPClient()})
	if err != nil {
		t.Fatal(err)
	}
	w.client = w.newClient(nil)
	w.provision(people)
	return w
}

func (w *world) newClient(transport http.RoundTripper) *appsuite.Client {
	w.t.Helper()
	if transport == nil {
		transport = w.server.HTTPClient().Transport
	}
	c, err := appsuite.New(someURL+"ajax/", &appsuite.Options{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// provision makes contexts and users that are not there yet.
func (w *world) provision(people []schoolmail.Account) {
	w.t.Helper()
	ctx := w.t.Context()
	for _, a := range people {
		c := a.Context
		if c == 0 {
			continue
		}
		if w.contexts[c] == nil {
			admin := ox.NewUser{Name: "oxadmin", DisplayName: "Admin", GivenName: "Ox", FamilyName: "Admin",
				PrimaryEmail: fmt.Sprintf("oxadmin%d@example.org", c), Password: somePassword, AccessName: "all"}
			if _, err := w.soap.Contexts.Create(ctx, ox.NewContext{ID: c, Name: fmt.Sprintf("c%d", c),
				Admin: admin}); err != nil {
				w.t.Fatal(err)
			}
			w.contexts[c] = w.soap.Context(c, ox.Credentials{Login: "oxadmin", Password: somePassword})
			w.users[c] = map[string]schoolmail.UserID{}
			w.addUser(c, "svc-books", "Adressbuch-Dienst", fmt.Sprintf("svc%d@example.org", c), "groupware_standard")
			w.stores[c] = w.login(w.client, c)
		}
		if _, ok := w.users[c][a.Username]; !ok {
			w.addUser(c, a.Username, a.DisplayName+" "+a.Username, a.Mail, "webmail")
		}
	}
}

func (w *world) addUser(c schoolmail.ContextID, login, display, mail, access string) {
	w.t.Helper()
	u, err := w.contexts[c].Users.Create(w.t.Context(), ox.NewUser{
		Name: login, DisplayName: display, GivenName: "G", FamilyName: "F", PrimaryEmail: mail, Password: somePassword,
		AccessName: access,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.users[c][login] = u.ID
}

func (w *world) session(client *appsuite.Client, c schoolmail.ContextID, login string) *appsuite.Session {
	w.t.Helper()
	s, err := client.Login(w.t.Context(), appsuite.Credentials{Name: fmt.Sprintf("%s@c%d", login, c),
		Password: somePassword})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) login(client *appsuite.Client, c schoolmail.ContextID) Store {
	w.t.Helper()
	st, err := NewStore(w.session(client, c, "svc-books"), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// shape is what all contexts show.
func (w *world) shape() string {
	w.t.Helper()
	var b strings.Builder
	for c := range schoolmail.ContextID(9) {
		if w.contexts[c] == nil {
			continue
		}
		snap, err := w.login(w.newClient(nil), c).Load(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&b, "context %d\n%s\n", c, shape(snap))
	}
	return b.String()
}

// readable lists, as an ordinary user, what the user can read: titles of
// folders with the names in them.
func (w *world) readable(c schoolmail.ContextID, login string) map[string][]string {
	w.t.Helper()
	s := w.session(w.client, c, login)
	out := map[string][]string{}
	for f, err := range s.VisibleFolders(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		if f.Type != appsuite.PublicType {
			continue
		}
		if f.OwnRights.Write != appsuite.ObjectsNone || f.OwnRights.Delete != appsuite.ObjectsNone ||
			f.OwnRights.Folder > appsuite.FolderSee || f.OwnRights.Admin {
			w.t.Errorf("%s can write in %q: %v", login, f.Title, f.OwnRights)
		}
		if f.OwnRights != appsuite.ReadOnly() {
			continue
		}
		names := []string{}
		for e, err := range s.Contacts(w.t.Context(), f.ID, appsuite.DisplayName) {
			if err != nil {
				w.t.Fatal(err)
			}
			names = append(names, e.Fields[appsuite.DisplayName])
		}
		slices.Sort(names)
		out[f.Title] = names
	}
	return out
}

func TestOpenXchangeShowsEverybodyTheirBooks(t *testing.T) {
	t.Parallel()
	people := village()
	w := newWorld(t, people, oxtest.HTTPOptions{})
	if _, err := w.contexts[1].Groups.Create(t.Context(), ox.Group{Name: "lehrer-au", DisplayName: "Lehrer Au",
		Members: []schoolmail.UserID{w.users[1]["tina"], w.users[1]["theo"]}}); err != nil {
		t.Fatal(err)
	}
	rules := villageRules()
	want := mustBuild(t, rules, people)
	mustSync(t, rules, want, w.stores, someDay, nil)

	wantAnna := map[string][]string{
		"Klasse 3a":    {"Anna Muster", "Ben Muster", "Klasse 3a (alle)"},
		"Lehrpersonen": {"Lehrpersonen", "Theo Muster", "Tina Muster"},
	}
	if diff := cmp.Diff(wantAnna, w.readable(2, "anna")); diff != "" {
		t.Errorf("anna reads: -want +got\n%s", diff)
	}
	wantTom := map[string][]string{
		"Lehrpersonen aller Schulen": {"Lehrpersonen aller Schulen", "Theo Muster", "Tina Muster", "Tom Muster"},
		"Lehrpersonen":               {"Lehrpersonen", "Theo Muster", "Tom Muster"},
		"Kollegium":                  {"Kollegium Schule Berg (alle)", "Theo Muster", "Tom Muster"},
		"Ganze Schule":               {"Dora Muster", "Ganze Schule", "Theo Muster", "Tom Muster"},
		"Klasse 1b":                  {"Dora Muster", "Klasse 1b (alle)"},
	}
	if diff := cmp.Diff(wantTom, w.readable(1, "tom")); diff != "" {
		t.Errorf("tom reads: -want +got\n%s", diff)
	}
	if s := w.shape(); !strings.Contains(s, "/Schule Au/Klasse 3a [group ") {
		t.Errorf("the group is not used:\n%s", s)
	}
	nothingLeft(t, rules, want, w.stores, someDay)
}

// Two pupils called Anna Muster join, leave, rename and come back; nobody's
// entry is ever lost. With the fuzzy import of 7.x, too.
func TestOpenXchangeNamesakes(t *testing.T) {
	t.Parallel()
	for _, fuzzy := range []bool{false, true} {
		t.Run(fmt.Sprintf("fuzzy=%v", fuzzy), func(t *testing.T) {
			t.Parallel()
			crowd := []string{"tina teacher 1 au"}
			for i := range 9 {
				crowd = append(crowd, fmt.Sprintf("kid%d pupil 2 au:3a", i))
			}
			days := [][]string{
				{"anna1 pupil 2 au:3a name=Anna_Muster"},
				{"anna1 pupil 2 au:3a name=Anna_Muster", "anna2 pupil 2 au:3a name=Anna_Muster"},
				{"anna2 pupil 2 au:3a name=Anna_Muster"},
				{"anna2 pupil 2 au:3a name=Anna_Muster-Graf"},
				{"anna1 pupil 2 au:3a name=Anna_Muster", "anna2 pupil 2 au:3a name=Anna_Muster-Graf"},
				{"anna1 pupil 2 au:3a name=Anna_Muster", "anna2 pupil 2 au:3a name=Anna_Muster",
					"anna3 pupil 2 au:3a name=Anna_Muster"},
			}
			people := everyone(append(crowd, days[5]...)...)
			w := newWorld(t, people, oxtest.HTTPOptions{FuzzyImport: fuzzy})
			rules := exactRules()
			for n, day := range days {
				want := mustBuild(t, rules, everyone(append(crowd, day...)...))
				mustSync(t, rules, want, w.stores, someDay+schoolmail.Date(n), &Options{ImportFrom: 5})
				nothingLeft(t, rules, want, w.stores, someDay)
				text := w.shape()
				for id := range 3 {
					mail := fmt.Sprintf("anna%d@example.org", id+1)
					here := slices.ContainsFunc(day, func(l string) bool {
						return strings.HasPrefix(l,
							strings.TrimSuffix(mail, "@example.org"))
					})
					// the class in two contexts, the list each, and the whole school in one
					if got, want := strings.Count(text, mail), map[bool]int{true: 5}[here]; got != want {
						t.Errorf("day %d: %s is there %d times, want %d", n, mail, got, want)
					}
				}
			}
		})
	}
}

// Texts come back as they were sent, by JSON and by import.
func TestOpenXchangeRoundTrip(t *testing.T) {
	t.Parallel()
	for _, from := range []int{-1, 1} {
		t.Run(fmt.Sprintf("import from %d", from), func(t *testing.T) {
			t.Parallel()
			people := everyone("t1 teacher 1 au", "t2 teacher 1 au", "t3 teacher 1 au", "t4 teacher 1 au")
			for i, e := range awkward()[:4] {
				people[i].DisplayName, people[i].GivenName, people[i].FamilyName, people[i].Phone = e.DisplayName, e.GivenName,
					e.FamilyName, e.Phone
			}
			w := newWorld(t, nil, oxtest.HTTPOptions{})
			named := slices.Clone(people)
			for i := range named { // as users they have plain names
				named[i].DisplayName = named[i].Username
			}
			w.provision(named)
			rules := villageRules()
			rules.Schools[0].Name = "Schule \"Au\"; Süd, =1+1"
			want := mustBuild(t, rules, people)
			mustSync(t, rules, want, w.stores, someDay, &Options{ImportFrom: from})
			nothingLeft(t, rules, want, w.stores, someDay)
			snap, err := w.stores[1].Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range snap.Folders {
				if f.Title != "Lehrpersonen" {
					continue
				}
				var got []Entry
				for _, e := range f.Entries {
					if rules.kindOf(e.Key) == personKey {
						got = append(got, e.Entry)
					}
				}
				slices.SortFunc(got, compareEntries)
				i := slices.IndexFunc(want.Contexts[0].Books, func(b Book) bool { return b.Rule == "teachers" })
				if diff := cmp.Diff(want.Contexts[0].Books[i].Entries, got); diff != "" {
					t.Errorf("-sent +stored\n%s", diff)
				}
				return
			}
			t.Fatal("no folder Lehrpersonen")
		})
	}
}

// Every single request fails once, before or after the server did the work;
// the next run puts everything right.
func TestOpenXchangeCrashAtEveryRequest(t *testing.T) {
	t.Parallel()
	people := everyone("tina teacher 1 au", "anna pupil 1 au:3a", "ben pupil 1 au:3a", "cleo pupil 1 au:3b")
	changed := everyone("tina teacher 1 au name=Tina_Neu", "anna pupil 1 au:3a", "ben pupil 1 au:3b", "dora pupil 1 au:4c")
	rules := exactRules()
	first, second := mustBuild(t, rules, people), mustBuild(t, rules, changed)

	undisturbed := newWorld(t, append(people, changed[3]), oxtest.HTTPOptions{})
	mustSync(t, rules, first, undisturbed.stores, someDay, &Options{ImportFrom: 4})
	mustSync(t, rules, second, undisturbed.stores, someDay, &Options{ImportFrom: 4})
	wantShape := undisturbed.shape()

	crashes := 0
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			w := newWorld(t, append(people, changed[3]), oxtest.HTTPOptions{})
			cut := &cutter{base: w.server.HTTPClient().Transport, at: n, after: after}
			hit := false
			for _, want := range []Desired{first, second} {
				ctx, cancel := context.WithCancel(t.Context())
				cut.cancel = cancel
				s, err := w.newClient(cut).Login(ctx, appsuite.Credentials{Name: "svc-books@c1", Password: somePassword})
				if err == nil {
					st, err := NewStore(s, nil)
					if err != nil {
						t.Fatal(err)
					}
					_, _ = Sync(ctx, rules, want, map[schoolmail.ContextID]Store{1: st}, someDay, &Options{ImportFrom: 4})
				}
				cancel()
				hit = hit || cut.hit
			}
			if !hit {
				break
			}
			crashes++
			mustSync(t, rules, second, w.stores, someDay, &Options{ImportFrom: 4})
			if diff := cmp.Diff(wantShape, w.shape()); diff != "" {
				t.Fatalf("request %d, after=%v: -undisturbed +crashed\n%s", n, after, diff)
			}
			nothingLeft(t, rules, second, w.stores, someDay)
			w.server.Close()
		}
	}
	if crashes < 20 {
		t.Errorf("only %d crashes", crashes)
	}
}

// cutter ends the program at one request: before it is sent, or after the
// server answered.
type cutter struct {
	base   http.RoundTripper
	at     int
	after  bool
	cancel func()
	mu     sync.Mutex
	n      int
	hit    bool
}

func (c *cutter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.n++
	now := c.n == c.at
	c.mu.Unlock()
	if now && !c.after {
		c.hit = true
		c.cancel()
		return nil, errors.New("cut before")
	}
	resp, err := c.base.RoundTrip(r)
	if now && err == nil {
		c.hit = true
		_ = resp.Body.Close()
		c.cancel()
		return nil, errors.New("cut after")
	}
	return resp, err
}

func TestOpenXchangeTwoAtOnce(t *testing.T) {
	t.Parallel()
	people := bigVillage()
	w := newWorld(t, people, oxtest.HTTPOptions{})
	alone := newWorld(t, people, oxtest.HTTPOptions{})
	rules := exactRules()
	want := mustBuild(t, rules, people)
	mustSync(t, rules, want, alone.stores, someDay, importSoon)
	var wg sync.WaitGroup
	for range 2 {
		stores := map[schoolmail.ContextID]Store{}
		client := w.newClient(nil)
		for c := range w.stores {
			stores[c] = w.login(client, c)
		}
		wg.Go(func() { _, _ = Sync(t.Context(), rules, want, stores, someDay, importSoon) })
	}
	wg.Wait()
	mustSync(t, rules, want, w.stores, someDay, importSoon)
	if diff := cmp.Diff(alone.shape(), w.shape()); diff != "" {
		t.Errorf("-alone +together\n%s", diff)
	}
}

// An entry deleted by hand comes back; a folder and an entry of somebody else stay.
func TestOpenXchangeHandMade(t *testing.T) {
	t.Parallel()
	people := village()
	w := newWorld(t, people, oxtest.HTTPOptions{})
	rules := villageRules()
	want := mustBuild(t, rules, people)
	mustSync(t, rules, want, w.stores, someDay, nil)
	before := w.shape()

	svc := w.session(w.client, 1, "svc-books")
	snap, err := w.stores[1].Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := snap.Folders[slices.IndexFunc(snap.Folders, func(f Folder) bool { return f.Title == "Klasse 3a" })]
	err = svc.DeleteContacts(t.Context(), appsuite.FolderID(f.ID), appsuite.Unconditional,
		appsuite.ContactID(f.Entries[0].ID), appsuite.ContactID(f.Entries[1].ID))
	if err != nil {
		t.Fatal(err)
	}
	if w.shape() == before {
		t.Fatal("nothing was deleted")
	}
	mustSync(t, rules, want, w.stores, someDay, nil)
	if diff := cmp.Diff(before, w.shape()); diff != "" {
		t.Errorf("-before +repaired\n%s", diff)
	}

	foreign, _, err := svc.CreateContact(t.Context(), appsuite.CreateContact{Folder: appsuite.FolderID(f.ID),
		Fields: appsuite.Fields{appsuite.DisplayName: "Hausmeister"}})
	if err != nil {
		t.Fatal(err)
	}
	admin := w.session(w.client, 1, "oxadmin")
	folder, err := admin.CreateFolder(t.Context(), appsuite.CreateFolder{Parent: appsuite.PublicFolder, Title: "Klasse 9z",
		Permissions: []appsuite.Permission{{Entity: appsuite.UserEntity(admin.UserID()), Rights: appsuite.Owner()},
			{Entity: appsuite.Everybody(), Rights: appsuite.ReadOnly()}}})
	if err != nil {
		t.Fatal(err)
	}
	less := slices.DeleteFunc(people, func(a schoolmail.Account) bool {
		return a.Username == "anna" ||
			a.Username == "ben"
	})
	gone := mustBuild(t, rules, less)
	r := mustSync(t, rules, gone, w.stores, someDay, nil)
	r2 := mustSync(t, rules, gone, w.stores, someDay+30, nil)
	if _, err := svc.Contact(t.Context(), appsuite.FolderID(f.ID), foreign); err != nil {
		t.Errorf("the foreign entry: %v", err)
	}
	if _, err := admin.Folder(t.Context(), folder); err != nil {
		t.Errorf("the foreign folder: %v", err)
	}
	if got := fmt.Sprint(r.Contexts[0].Plan.Counts().FoldersHidden,
		r2.Contexts[0].Plan.Findings); !strings.HasPrefix(got, "1 ") || !strings.Contains(got, "it stays") {
		t.Errorf("hidden and findings: %s", got)
	}
}
