package books

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// The run after a rename shows the new name and address in every book where the person
// stands. It is the same entry, changed: nothing is removed and nothing added, and of
// nobody else anything changes but the lists that name the address.
func TestRenamedPersonKeepsTheirEntries(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.StartPopulated(t.Context(), sitetest.WithPeople(60), sitetest.WithNewLoginNames()))(t)
	dir := t.TempDir()
	if err := sb.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "district.toml")
	// run syncs and returns what it did and all entries by where they are.
	run := func() (addressbook.Counts, map[string]addressbook.Entry) {
		t.Helper()
		j := testlife.Of(Open(t.Context(), file, &Options{Apply: true}))(t)
		if held, err := j.Run(t.Context(), io.Discard, true, false); err != nil || held {
			t.Fatalf("held %v, %v", held, err)
		}
		entries := map[string]addressbook.Entry{}
		for id, store := range j.access.stores {
			s, err := store.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range s.Folders {
				for _, e := range f.Entries {
					entries[fmt.Sprint(id, " ", f.ID, " ", e.ID)] = e.Entry
				}
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		return j.Done, entries
	}
	_, before := run()

	var who schoolmail.Account
	for _, a := range sb.Accounts {
		for _, e := range before {
			if a.Mail != "" && a.Mail == e.Mail {
				who = a
			}
		}
		if !who.Key.IsZero() {
			break
		}
	}
	_, domain, _ := strings.Cut(who.Mail, "@")
	set := sb.Settings()
	set.Policy.Naming.ChangeUsernames = true
	s := testlife.Of(site.Open(set, nil))(t)
	acts, err := s.Rename(t.Context(), who.Key.ID, schoolmail.RenameRequest{GivenName: "Ottilie", FamilyName: "Abegg",
		By: "frei"}, &site.RunOptions{Day: sb.District.Today(), Apply: true})
	if err != nil || acts[len(acts)-1].Err != nil {
		t.Fatal(err, acts)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	done, after := run()
	name, mail := "Ottilie Abegg", "ottilie.abegg@"+domain
	want, renamed := map[string]addressbook.Entry{}, 0
	for at, e := range before {
		if e.Mail == who.Mail && !e.IsList() {
			e.DisplayName, e.Mail = name, mail
			e.GivenName, e.FamilyName = after[at].GivenName, after[at].FamilyName
			renamed++
		}
		if e.IsList() {
			e.Members = nil
		}
		want[at] = e
	}
	got := map[string]addressbook.Entry{}
	for at, e := range after {
		for _, m := range e.Members {
			if m.Mail == who.Mail || m.Mail == mail && m.Name != name {
				t.Errorf("a list still has %+v", m)
			}
		}
		e.Members = nil
		got[at] = e
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
	if renamed == 0 || done.EntriesChanged < renamed || done.EntriesAdded+done.EntriesRemoved+done.FoldersCreated > 0 {
		t.Errorf("%d entries of the person, done: %v", renamed, done)
	}
	if again, _ := run(); again != (addressbook.Counts{}) {
		t.Errorf("the run after it did %v", again)
	}
}
