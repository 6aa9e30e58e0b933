package addressbook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// folder is a folder of context c as the service account sees it.
func (w *world) folder(c schoolmail.ContextID, title string) Folder {
	w.t.Helper()
	snap, err := w.stores[c].Load(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(snap.Folders, func(f Folder) bool { return f.Title == title })
	if i < 0 {
		w.t.Fatalf("no folder %q", title)
	}
	return snap.Folders[i]
}

// A contact that somebody made of a copy of ours has our key in it, and is not
// ours: it is neither changed back nor deleted.
func TestOpenXchangeHandCopies(t *testing.T) {
	t.Parallel()
	people := village()
	w := newWorld(t, people, oxtest.HTTPOptions{})
	rules := villageRules()
	want := mustBuild(t, rules, people)
	mustSync(t, rules, want, w.stores, someDay, nil)
	before := w.shape()

	f := w.folder(1, "Kollegium")
	svc, admin := w.session(w.client, 1, "svc-books"), w.session(w.client, 1, "oxadmin")
	_, err := svc.UpdateFolder(t.Context(), appsuite.UpdateFolder{ID: appsuite.FolderID(f.ID),
		Permissions: []appsuite.Permission{
			{Entity: appsuite.UserEntity(svc.UserID()), Rights: appsuite.Owner()},
			{Entity: appsuite.UserEntity(admin.UserID()), Rights: appsuite.Author()}}})
	if err != nil {
		t.Fatal(err)
	}
	copied, _, err := admin.CreateContact(t.Context(), appsuite.CreateContact{Folder: appsuite.FolderID(f.ID),
		Fields: appsuite.Fields{
			appsuite.DisplayName: "Sekretariat", appsuite.Email1: "sekretariat@example.org",
			appsuite.UserField19: f.Entries[0].Key}})
	if err != nil {
		t.Fatal(err)
	}
	r := mustSync(t, rules, want, w.stores, someDay, nil)
	got, err := svc.Contact(t.Context(), appsuite.FolderID(f.ID), copied)
	if err != nil || got.Fields[appsuite.DisplayName] != "Sekretariat" {
		t.Errorf("the copy: %v, %v", got.Fields, err)
	}
	if text := fmt.Sprint(r.Contexts[0].Plan.Findings); !strings.Contains(text, "1 entries are not ours and stay") {
		t.Errorf("findings %s", text)
	}
	nothingLeft(t, rules, want, w.stores, someDay)
	if err := admin.DeleteContacts(t.Context(), appsuite.FolderID(f.ID), appsuite.Unconditional, copied); !errors.Is(err,
		appsuite.ErrPermission) {
		t.Errorf("the administrator can still write: %v", err)
	}
	if err := svc.DeleteContacts(t.Context(), appsuite.FolderID(f.ID), appsuite.Unconditional, copied); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.shape()); diff != "" {
		t.Errorf("without the copy: -before +after\n%s", diff)
	}
}

// A user who is deleted while the sync works costs nobody else the book.
func TestOpenXchangeUserDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	people := everyone("tina teacher 1 au", "anna pupil 1 au:3a", "ben pupil 1 au:3a")
	w := newWorld(t, people, oxtest.HTTPOptions{})
	base := w.server.HTTPClient().Transport
	var once sync.Once
	err := w.syncThrough(roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/multiple") { // all is read
			once.Do(func() {
				if err := w.contexts[1].Users.Delete(t.Context(), ox.Reassign{}, ox.UserRef{ID: w.users[1]["ben"]}); err != nil {
					t.Error(err)
				}
			})
		}
		return base.RoundTrip(r)
	}), villageRules(), mustBuild(t, villageRules(), people))
	if err != nil {
		t.Error(err)
	}
	if got := w.readable(1, "anna")["Klasse 3a"]; len(got) != 3 {
		t.Errorf("anna reads %q", got)
	}
}

// Every answer once ends in the middle, or is a page of a proxy. A run may end
// with that; nothing is doubled or lost, and the next puts everything right.
func TestOpenXchangeHalfAnswers(t *testing.T) {
	t.Parallel()
	people := everyone("tina teacher 1 au", "anna pupil 1 au:3a", "ben pupil 1 au:3a", "cleo pupil 1 au:3b")
	rules := exactRules()
	want := mustBuild(t, rules, people)
	undisturbed := newWorld(t, people, oxtest.HTTPOptions{})
	if err := undisturbed.syncThrough(nil, rules, want); err != nil {
		t.Fatal(err)
	}
	wantShape := undisturbed.shape()
	for name, spoil := range map[string]func([]byte) []byte{
		"half":          func(b []byte) []byte { return b[:len(b)/2] },
		"all but one":   func(b []byte) []byte { return b[:max(0, len(b)-1)] },
		"empty":         func([]byte) []byte { return nil },
		"a proxy page":  func([]byte) []byte { return []byte("<html><body>Bad things happened ({:-})</body></html>") },
		"empty object":  func([]byte) []byte { return []byte("{}") },
		"empty list":    func([]byte) []byte { return []byte("[]") },
		"null":          func([]byte) []byte { return []byte("null") },
		"data is null":  func([]byte) []byte { return []byte(`{"data":null}`) },
		"list of nulls": func([]byte) []byte { return []byte(`[null,null,null]`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := int64(1); ; n++ {
				w := newWorld(t, people, oxtest.HTTPOptions{})
				base := w.server.HTTPClient().Transport
				var count atomic.Int64
				hit := false
				// The first run may fail; it must not do harm.
				_ = w.syncThrough(roundTripper(func(r *http.Request) (*http.Response, error) {
					resp, err := base.RoundTrip(r)
					if err != nil || count.Add(1) != n {
						return resp, err
					}
					hit = true
					b, err := io.ReadAll(resp.Body)
					if err != nil {
						return nil, err
					}
					b = spoil(b)
					resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
					return resp, nil
				}), rules, want)
				if err := w.syncThrough(nil, rules, want); err != nil {
					t.Fatalf("request %d: the run after: %v", n, err)
				}
				if diff := cmp.Diff(wantShape, w.shape()); diff != "" {
					t.Fatalf("request %d: -undisturbed +disturbed\n%s", n, diff)
				}
				w.server.Close()
				if !hit {
					if n < 10 {
						t.Errorf("only %d answers were spoiled", n-1)
					}
					return
				}
			}
		})
	}
}

// On the second day, a spoiled answer to a reading must not be taken for a
// context without users, groups, folders or entries.
func TestOpenXchangeEmptyReadings(t *testing.T) {
	t.Parallel()
	people := village()
	rules := exactRules()
	want := mustBuild(t, rules, people)
	w := newWorld(t, people, oxtest.HTTPOptions{})
	mustSync(t, rules, want, w.stores, someDay, nil)
	before := w.shape()
	base := w.server.HTTPClient().Transport
	for _, op := range []string{"user all", "group all", "folders allVisible", "multiple"} {
		for _, body := range []string{`{}`, `{"data":null}`, `[]`, ``, `null`} {
			_ = w.syncThrough(roundTripper(func(r *http.Request) (*http.Response, error) {
				resp, err := base.RoundTrip(r)
				if err == nil && strings.TrimSpace(strings.TrimPrefix(r.URL.Path, "/ajax/")+" "+r.URL.Query().Get("action")) == op {
					resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
				}
				return resp, err
			}), rules, want)
			if diff := cmp.Diff(before, w.shape()); diff != "" {
				t.Fatalf("%s answered %q: -before +after\n%s", op, body, diff)
			}
		}
	}
}

// Every second request is refused with 429 whatever the client does: it slows
// down and gets everything done.
func TestOpenXchangeStormOf429(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		people := bigVillage()
		rules := exactRules()
		want := mustBuild(t, rules, people)
		calm := newWorld(t, people, oxtest.HTTPOptions{})
		mustSync(t, rules, want, calm.stores, someDay, importSoon)
		w := newWorld(t, people, oxtest.HTTPOptions{})
		base := w.server.HTTPClient().Transport
		var count atomic.Int64
		client := w.newClient(roundTripper(func(r *http.Request) (*http.Response, error) {
			if count.Add(1)%2 == 1 {
				return &http.Response{StatusCode: http.StatusTooManyRequests,
					Header: http.Header{"Retry-After": {"1"}, "Content-Type": {"text/html"}},
					Body:   io.NopCloser(strings.NewReader("<html>")), Request: r}, nil
			}
			return base.RoundTrip(r)
		}))
		stores := map[schoolmail.ContextID]Store{}
		for c := range w.stores {
			stores[c] = w.login(client, c)
		}
		mustSync(t, rules, want, stores, someDay, &Options{ImportFrom: 8, Parallel: 1})
		if diff := cmp.Diff(calm.shape(), w.shape()); diff != "" {
			t.Errorf("-calm +storm\n%s", diff)
		}
		if client.Stats().Limited < 10 {
			t.Errorf("only %d answers 429", client.Stats().Limited)
		}
	})
}

// A pupil whose account moves to another context reads the books there and no
// longer where they were, though the old account still exists for a while.
func TestOpenXchangePupilMovesContexts(t *testing.T) {
	t.Parallel()
	people := village()
	moved := slices.Clone(people)
	for i := range moved {
		if moved[i].Username == "anna" {
			moved[i].Context = 3
		}
	}
	w := newWorld(t, people, oxtest.HTTPOptions{})
	rules := villageRules()
	// The group of the class still has the old account in it.
	if _, err := w.contexts[2].Groups.Create(t.Context(), ox.Group{Name: "au-3a", DisplayName: "Klasse 3a",
		Members: []schoolmail.UserID{w.users[2]["anna"], w.users[2]["ben"]}}); err != nil {
		t.Fatal(err)
	}
	mustSync(t, rules, mustBuild(t, rules, people), w.stores, someDay, nil)
	if got := w.readable(2, "anna")["Klasse 3a"]; len(got) != 3 {
		t.Fatalf("anna reads %q in the old context", got)
	}
	w.provision(moved) // both accounts exist
	want := mustBuild(t, rules, moved)
	mustSync(t, rules, want, w.stores, someDay+1, nil)
	if got := w.readable(2, "anna"); len(got) != 0 {
		t.Errorf("the old account still reads %v", got)
	}
	if got := w.readable(2, "ben")["Klasse 3a"]; len(got) != 3 {
		t.Errorf("ben reads %q", got)
	}
	if got := w.readable(3, "anna")["Klasse 3a"]; len(got) != 3 {
		t.Errorf("anna reads %q in the new context", got)
	}
	nothingLeft(t, rules, want, w.stores, someDay+1)
}

// Names of people, classes and schools that are rare but real, or that somebody
// typed by mistake.
func TestOpenXchangeExoticNames(t *testing.T) {
	t.Parallel()
	classes := []string{"3a/b", "3ä", "3Ä", "😀", "..", "a\\b", "con://0/6", "3\u00a0c", "3 c", "<b>", `"`, "'; DROP",
		"\u202e3x", strings.Repeat("x", 900), "%2F", "{class}", "é", "e\u0301"}
	var people []schoolmail.Account
	for i, c := range classes {
		a := someone(fmt.Sprintf("k%02d pupil 1 au", i))
		a.Memberships[0].Classes = []string{c}
		a.DisplayName = c + " \u200b" + strings.Repeat("é", 400)
		a.GivenName, a.FamilyName = c, "=1+1\t\x00\r\n'"
		people = append(people, a)
	}
	people = append(people, someone("tina teacher 1 au"))
	rules := villageRules()
	rules.Schools[0].Name = "Schule {class} ☃ „Au“ / Süd\n"
	named := slices.Clone(people)
	for i := range named { // as users they have plain names
		named[i].DisplayName = named[i].Username
	}
	for _, from := range []int{-1, 1} {
		w := newWorld(t, named, oxtest.HTTPOptions{})
		want := mustBuild(t, rules, people)
		r := mustSync(t, rules, want, w.stores, someDay, &Options{ImportFrom: from})
		if got := r.Done().FoldersCreated; got != len(classes)+5+1-1 {
			t.Errorf("%d folders for %d classes", got, len(classes))
		}
		nothingLeft(t, rules, want, w.stores, someDay)
	}
}

// A server that imports only so many lines of a file, and so cuts a row with a
// line break in the middle, leaves nothing behind that belongs to nobody.
func TestOpenXchangeImportLimit(t *testing.T) {
	t.Parallel()
	var people []schoolmail.Account
	for i := range 12 {
		a := someone(fmt.Sprintf("t%02d teacher 1 au", i))
		a.Phone = fmt.Sprintf("+41 %d\nor %d", i, i)
		people = append(people, a)
	}
	rules := exactRules()
	want := mustBuild(t, rules, people)
	free := newWorld(t, people, oxtest.HTTPOptions{})
	mustSync(t, rules, want, free.stores, someDay, &Options{ImportFrom: -1})
	for limit := 1; limit < 9; limit++ {
		w := newWorld(t, people, oxtest.HTTPOptions{ImportLimit: limit})
		mustSync(t, rules, want, w.stores, someDay, &Options{ImportFrom: 1})
		if diff := cmp.Diff(free.shape(), w.shape()); diff != "" {
			t.Fatalf("limit %d: -free +limited\n%s", limit, diff)
		}
	}
}
