package addressbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

// An export without people must not hide a single book, not even in contexts
// that have few.
func TestNobodyIsNotBelieved(t *testing.T) {
	t.Parallel()
	rules, people := villageRules(), village()
	stores := storesFor(people)
	mustSync(t, rules, mustBuild(t, rules, people), stores, someDay, nil)
	before := shapes(stores)
	nobody := mustBuild(t, rules, nil)
	if _, err := Sync(t.Context(), rules, nobody, stores, someDay+1, nil); !errors.Is(err, ErrNobody) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, shapes(stores)); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
	rules.MaxGonePercent = 100
	mustSync(t, rules, nobody, stores, someDay+1, nil)
	if shapes(stores) == before {
		t.Error("the limit is lifted, and still nothing is hidden")
	}
}

// crowd is a teacher and classes of ten pupils each.
func crowd(classes ...string) []schoolmail.Account {
	people := everyone("tina teacher 1 au")
	for _, class := range classes {
		for i := range 10 {
			people = append(people, someone(fmt.Sprintf("k%s%d pupil 1 au:%s", class, i, class)))
		}
	}
	return people
}

// Half of the directory cannot be read, but all classes are still there: no book
// vanishes, and yet nobody is taken out of a book and nobody loses access.
func TestHalfReadPeopleKeepTheirEntries(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	people := crowd("1a", "1b", "1c", "1d")
	stores := storesFor(people)
	mustSync(t, rules, mustBuild(t, rules, people), stores, someDay, nil)
	before := shapes(stores)

	var half []schoolmail.Account
	for i, a := range people {
		if i%10 < 4 {
			half = append(half, a)
		}
	}
	r := mustSync(t, rules, mustBuild(t, rules, half), stores, someDay+1, nil)
	if diff := cmp.Diff(before, shapes(stores)); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
	p := r.Contexts[0].Plan
	if got := fmt.Sprint(p.Findings); !p.Held || !strings.Contains(got, "24 of 41 people would vanish") {
		t.Errorf("held %v, findings %s", p.Held, got)
	}

	// Who is new gets in all the same, and changes of those still there are made.
	half[1].DisplayName = "Kim Neu"
	more := append(slices.Clone(half), someone("new pupil 1 au:1a"))
	mustSync(t, rules, mustBuild(t, rules, more), stores, someDay+1, nil)
	if s := shapes(stores); !strings.Contains(s, "Kim Neu") || !strings.Contains(s, "new@example.org") {
		t.Errorf("changes are not made:\n%s", s)
	}
	nothingLeft(t, rules, mustBuild(t, rules, more), stores, someDay+1)

	rules.MaxGonePercent = 100
	mustSync(t, rules, mustBuild(t, rules, half), stores, someDay+1, nil)
	if s := shapes(stores); strings.Contains(s, "k1a7@example.org") {
		t.Errorf("the limit is lifted, and people who are gone are still there:\n%s", s)
	}
}

// New people in the place of old ones are no loss: a year's pupils leave while
// others come, or the salt of the keys changes.
func TestOthersInTheirPlaceAreNoLoss(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	people := crowd("1a", "1b", "1c", "1d")
	for name, change := range map[string]func() (Rules, []schoolmail.Account){
		"another salt": func() (Rules, []schoolmail.Account) {
			r := rules
			r.Salt, r.Rekey = "other", true
			return r, people
		},
		"other people": func() (Rules, []schoolmail.Account) {
			others := slices.Clone(people)
			for i := range others {
				others[i].Key.ID += "x"
			}
			return rules, others
		},
	} {
		stores := storesFor(people)
		mustSync(t, rules, mustBuild(t, rules, people), stores, someDay, nil)
		nextRules, next := change()
		want := mustBuild(t, nextRules, next)
		mustSync(t, nextRules, want, stores, someDay+1, nil)
		fresh := storesFor(people)
		mustSync(t, nextRules, want, fresh, someDay+1, nil)
		if diff := cmp.Diff(shapes(fresh), shapes(stores)); diff != "" {
			t.Errorf("%s: -fresh +changed\n%s", name, diff)
		}
	}
}

// A folder of somebody else that differs from ours by case only is in the way:
// people could not tell the two apart, and some releases refuse the second.
func TestForeignTitleInOtherCase(t *testing.T) {
	t.Parallel()
	rules, people := villageRules(), village()
	stores := storesFor(people)
	s := stores[1].(*fakeStore)
	s.snap.Folders = append(s.snap.Folders, Folder{ID: "50", Parent: PublicFolder, Title: "SCHULE AU ", CreatedBy: 2})
	want := mustBuild(t, rules, people)
	r := mustSync(t, rules, want, stores, someDay, nil)
	for _, f := range s.snap.Folders {
		if f.ID != "50" && (strings.EqualFold(f.Title, "schule au") || f.Parent == "50") {
			t.Errorf("folder %q below %s", f.Title, f.Parent)
		}
	}
	if !strings.Contains(s.shape(), "/Schule Berg/Klasse 1b") {
		t.Errorf("the other school has no books:\n%s", s.shape())
	}
	if got := fmt.Sprint(r.Contexts[0].Plan.Findings); !strings.Contains(got,
		"book Schule Au: a folder of this name exists") {
		t.Errorf("findings %s", got)
	}
}

// Somebody puts an entry or a folder into a book between the reading and the
// removal.
func TestForeignArrivesBeforeTheRemoval(t *testing.T) {
	t.Parallel()
	rules, people := villageRules(), village()
	rules.GraceDays = -1
	without := slices.DeleteFunc(slices.Clone(people), func(a schoolmail.Account) bool {
		return a.Username == "anna" ||
			a.Username == "ben"
	})
	for name, arrive := range map[string]func(*fakeStore, *Folder){
		"entry": func(s *fakeStore, f *Folder) {
			f.Entries = append(f.Entries, Stored{ID: s.id(), Entry: Entry{DisplayName: "Hausmeister"}})
		},
		"folder": func(s *fakeStore, f *Folder) {
			s.snap.Folders = append(s.snap.Folders, Folder{ID: s.id(), Parent: f.ID, Title: "Ausflug", CreatedBy: 2})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stores := storesFor(people)
			mustSync(t, rules, mustBuild(t, rules, people), stores, someDay, nil)
			s := stores[1].(*fakeStore)
			s.requests = 0
			class := func() *Folder {
				i := slices.IndexFunc(s.snap.Folders, func(f Folder) bool { return f.Title == "Klasse 3a" })
				if i < 0 {
					return nil
				}
				return &s.snap.Folders[i]
			}
			s.crash = func(request int, after bool) error {
				if request == 1 && after { // the reading
					arrive(s, class())
				}
				return nil
			}
			mustSync(t, rules, mustBuild(t, rules, without), stores, someDay+1, nil)
			f := class()
			if f == nil {
				t.Fatal("the folder was deleted with what is not ours")
			}
			if got := permissionText(f.Permissions, 9); got != "user 9 owner" {
				t.Errorf("permissions %s, want it hidden", got)
			}
		})
	}
}

// A container that cannot be made must not keep the access to its books as it was.
func TestBooksOutsideABlockedContainer(t *testing.T) {
	t.Parallel()
	rules, people := villageRules(), village()
	stores := storesFor(people)
	mustSync(t, rules, mustBuild(t, rules, people), stores, someDay, nil)
	s := stores[2].(*fakeStore)
	// By hand: Klasse 3a is moved to the top, then its school deleted, and
	// somebody else makes a folder of that name.
	au := slices.IndexFunc(s.snap.Folders, func(f Folder) bool { return f.Title == "Schule Au" })
	class := slices.IndexFunc(s.snap.Folders, func(f Folder) bool { return f.Title == "Klasse 3a" })
	s.snap.Folders[class].Parent = PublicFolder
	s.remove(s.snap.Folders[au].ID)
	s.snap.Folders = append(s.snap.Folders, Folder{ID: "50", Parent: PublicFolder, Title: "Schule Au", CreatedBy: 2})

	people = slices.DeleteFunc(people, func(a schoolmail.Account) bool { return a.Username == "ben" })
	want := mustBuild(t, rules, people)
	mustSync(t, rules, want, stores, someDay+1, nil)
	shape := s.shape()
	if strings.Contains(shape, "ben@example.org") || !strings.Contains(shape,
		"/Klasse 3a [user 14 read, user 9 owner]") && !strings.Contains(shape, "/Klasse 3a [user 9 owner, user 14 read]") {
		t.Errorf("the book is not kept in step:\n%s", shape)
	}
	nothingLeft(t, rules, want, stores, someDay+1)
}

// An address that two users have tells nobody: nobody may get in for another.
func TestSharedAddressAdmitsNobody(t *testing.T) {
	t.Parallel()
	have := Snapshot{Self: 9, Users: []User{{ID: 9, Login: "svc"}, {ID: 11, Mail: "Anna@example.org"},
		{ID: 12, Mail: "anna@example.org"}, {ID: 13, Mail: "ben@example.org"}}}
	r := newResolver(have, ContextBooks{Logins: []Login{{"anna", "anna@example.org"}, {"ben", "ben@example.org"}}})
	perms, _ := r.permissions([]Audience{{Users: []string{"anna", "ben"}, Ungrouped: UngroupedSingly}})
	if got, want := permissionText(perms, 9), "user 9 owner, user 13 read"; got != want || !r.missing["anna"] {
		t.Errorf("%s, want %s; missing %v", got, want, r.missing)
	}
}

// The last event of a round that went well says that everything is done.
func TestProgressEndsAtTheTotal(t *testing.T) {
	t.Parallel()
	rules := exactRules()
	people := bigVillage()
	stores := storesFor(people)
	run := func(people []schoolmail.Account) {
		t.Helper()
		last := map[schoolmail.ContextID]Event{}
		mustSync(t, rules, mustBuild(t, rules, people), stores, someDay,
			&Options{ImportFrom: 8, Observer: ObserverFunc(func(e Event) {
				switch e.Stage {
				case Working:
					if e.Done > e.Total {
						t.Errorf("context %d: %d of %d", e.Context, e.Done, e.Total)
					}
					last[e.Context] = e
				case Finished:
					if w := last[e.Context]; w.Done != w.Total || w.Total == 0 {
						t.Errorf("context %d ended at %d of %d", e.Context, w.Done, w.Total)
					}
				}
			})})
	}
	run(people)
	for i := range people { // classes swap, people change, a class goes
		for k := range people[i].Memberships {
			for c, class := range people[i].Memberships[k].Classes {
				people[i].Memberships[k].Classes[c] = map[string]string{"3a": "3b", "3b": "3a", "5c": "6c", "1b": "1b"}[class]
			}
		}
		people[i].DisplayName += " X"
	}
	run(slices.DeleteFunc(people, func(a schoolmail.Account) bool { return a.Username == "dora" }))
}

// A sync that is stopped while it works reports what it did until then.
func TestStoppedSyncReports(t *testing.T) {
	t.Parallel()
	rules, people := exactRules(), bigVillage()
	stores := storesFor(people)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := Sync(ctx, rules, mustBuild(t, rules, people), stores, someDay,
		&Options{Parallel: 1, Observer: ObserverFunc(func(e Event) {
			if e.Context == 1 && e.Stage == Finished {
				cancel()
			}
		})})
	if !errors.Is(err, context.Canceled) || r.Done().FoldersCreated == 0 || len(r.Contexts) != 3 ||
		r.Contexts[0].Err != nil || r.Contexts[2].Err == nil {
		t.Errorf("error %v, report %+v", err, r.Done())
	}
}
