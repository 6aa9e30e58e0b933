package addressbook

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ictmedia/schoolmail"
)

const someDay = schoolmail.Date(740000)

// exactRules have no grace and no limit, so that a sync leads to exactly
// the desired books.
func exactRules() Rules {
	r := villageRules()
	r.GraceDays, r.MaxGonePercent = -1, 100
	return r
}

// drawPeople draws a population from a fixed set of ids.
func drawPeople(t *rapid.T, label string) []schoolmail.Account {
	var people []schoolmail.Account
	for i := range 9 {
		if !rapid.Bool().Draw(t, fmt.Sprintf("%s p%d here", label, i)) {
			continue
		}
		role := []string{"pupil", "pupil", "teacher", "staff"}[i%4]
		school := rapid.SampledFrom([]string{"au", "au", "berg"}).Draw(t, "school")
		class := rapid.SampledFrom([]string{"1a", "1b", "2a"}).Draw(t, "class")
		c := rapid.IntRange(0, 2).Draw(t, "context")
		name := rapid.SampledFrom([]string{"Anna_Muster", "Zoë_O'Hara", `"=1+1"_Quote`}).Draw(t, "name")
		people = append(people, someone(fmt.Sprintf("p%d %s %d %s:%s name=%s", i, role, c, school, class, name)))
	}
	return people
}

// drawGroups draws groups with names that the rules know and any members.
func drawGroups(t *rapid.T, users []User) []Group {
	var groups []Group
	for i, name := range []string{"lehrer-au", "schueler-au", "au-1a", "LEHRER-BERG", "unrelated"} {
		if !rapid.Bool().Draw(t, "group "+name) {
			continue
		}
		g := Group{ID: 50 + i, Name: name}
		for _, u := range users {
			if rapid.Bool().Draw(t, "member") {
				g.Members = append(g.Members, u.ID)
			}
		}
		groups = append(groups, g)
	}
	return groups
}

func syncOne(t interface{ Fatal(...any) }, rules Rules, s *fakeStore, want ContextBooks) ContextReport {
	r, err := Sync(context.Background(), rules, Desired{Contexts: []ContextBooks{want}},
		map[schoolmail.ContextID]Store{want.Context: s}, someDay, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return r.Contexts[0]
}

func TestSyncLeadsToTheDesiredBooks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawPeople(t, "before"), drawPeople(t, "after")
		rules := exactRules()
		build := func(p []schoolmail.Account) ContextBooks {
			d, err := Build(rules, p)
			if err != nil {
				t.Fatal(err)
			}
			return booksOf(d, 1)
		}
		users := usersOf(1, after)
		groups := drawGroups(t, users)
		s := newFake(9, usersOf(1, before), nil)
		syncOne(t, rules, s, build(before))
		s.snap.Users, s.snap.Groups = users, groups
		syncOne(t, rules, s, build(after))

		fresh := newFake(9, users, groups)
		syncOne(t, rules, fresh, build(after))
		if diff := cmp.Diff(fresh.shape(), s.shape()); diff != "" {
			t.Fatalf("-fresh +synced\n%s", diff)
		}
		if again := syncOne(t, rules, s, build(after)); !again.Plan.Empty() {
			t.Fatalf("second run finds %+v", again.Plan.Folders)
		}
	})
}

func TestNobodyReadsWhoMayNot(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		people := drawPeople(t, "now")
		rules := exactRules()
		for i := range rules.Books {
			for j := range rules.Books[i].Readers {
				rd := &rules.Books[i].Readers[j]
				rd.Ungrouped = rapid.SampledFrom([]Ungrouped{"", UngroupedSingly, UngroupedTogether}).Draw(t, "rest")
			}
		}
		d, err := Build(rules, people)
		if err != nil {
			t.Fatal(err)
		}
		users := usersOf(1, people)
		s := newFake(9, users, drawGroups(t, users))
		syncOne(t, rules, s, booksOf(d, 1))
		for _, f := range s.snap.Folders {
			if err := checkReaders(s.snap, f, people); err != nil {
				t.Fatalf("folder %q: %v", f.Title, err)
			}
		}
	})
}

// checkReaders compares who can read a folder with the default rules written
// down a second time, from the folder's titles alone.
func checkReaders(s Snapshot, f Folder, people []schoolmail.Account) error {
	reads := map[schoolmail.UserID]Right{}
	for _, p := range f.Permissions {
		if !p.Group {
			reads[schoolmail.UserID(p.Entity)] = p.Right
			continue
		}
		for _, g := range s.Groups {
			if g.ID == p.Entity {
				for _, id := range g.Members {
					reads[id] = p.Right
				}
			}
		}
		if p.Entity == 0 {
			for _, u := range s.Users {
				reads[u.ID] = p.Right
			}
		}
	}
	if reads[9] != Owner {
		return fmt.Errorf("the service account has %q", reads[9])
	}
	delete(reads, 9)
	if _, ok := reads[2]; ok && slices.ContainsFunc(f.Permissions,
		func(p Permission) bool { return p.Entity == 0 && p.Group }) {
		delete(reads, 2) // the administrator may be part of "everyone"
	}
	school := ""
	for _, parent := range s.Folders {
		if parent.ID == f.Parent {
			school = parent.Title
		}
	}
	for _, u := range s.Users {
		if u.ID == 2 || u.ID == 9 {
			continue
		}
		i := slices.IndexFunc(people, func(a schoolmail.Account) bool { return a.Username == u.Login })
		a := people[i]
		at := map[schoolmail.SchoolID]string{"au": "Schule Au", "berg": "Schule Berg"}[a.Memberships[0].School]
		same := at == school
		may := false
		switch {
		case school == "" && f.Title == "Lehrpersonen aller Schulen":
			may = a.Role != schoolmail.RolePupil
		case school == "": // the school's container
			if reads[u.ID] == ReadOnly {
				return fmt.Errorf("%s reads a container", a.Username)
			}
			may = at == f.Title
		case f.Title == "Lehrpersonen":
			may = same
		case f.Title == "Kollegium" || f.Title == "Ganze Schule":
			may = same && a.Role != schoolmail.RolePupil
		case strings.HasPrefix(f.Title, "Klasse "):
			may = same && (a.Role == schoolmail.RoleTeacher ||
				a.Role == schoolmail.RolePupil && f.Title == "Klasse "+a.Memberships[0].Classes[0])
		}
		if right, ok := reads[u.ID]; ok && !may {
			return fmt.Errorf("%s has %q", a.Username, right)
		} else if !ok && may && school != "" {
			return fmt.Errorf("%s cannot read", a.Username)
		}
		delete(reads, u.ID)
	}
	if len(reads) > 0 {
		return fmt.Errorf("others have rights: %v", reads)
	}
	return nil
}

func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, people := drawPeople(t, "before"), drawPeople(t, "now")
		rules := villageRules()
		plan := func(r *rand.Rand) string {
			mix := func(p []schoolmail.Account) []schoolmail.Account {
				p = slices.Clone(p)
				if r != nil {
					r.Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
				}
				return p
			}
			d, err := Build(rules, mix(before))
			if err != nil {
				t.Fatal(err)
			}
			s := newFake(9, usersOf(1, before), nil)
			syncOne(t, rules, s, booksOf(d, 1))
			if d, err = Build(rules, mix(people)); err != nil {
				t.Fatal(err)
			}
			have := cloneSnapshot(s.snap)
			have.Users = usersOf(1, people)
			if r != nil {
				r.Shuffle(len(have.Users), func(i, j int) { have.Users[i], have.Users[j] = have.Users[j], have.Users[i] })
				r.Shuffle(len(have.Folders), func(i, j int) { have.Folders[i], have.Folders[j] = have.Folders[j], have.Folders[i] })
				for _, f := range have.Folders {
					r.Shuffle(len(f.Entries), func(i, j int) { f.Entries[i], f.Entries[j] = f.Entries[j], f.Entries[i] })
				}
			}
			b, err := json.Marshal(Diff(rules, have, booksOf(d, 1), someDay))
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		if diff := cmp.Diff(plan(nil), plan(rand.New(rand.NewPCG(seed, 1)))); diff != "" {
			t.Fatalf("-in order +shuffled\n%s", diff)
		}
	})
}

func taken(s Snapshot, parent, title string) bool {
	return slices.ContainsFunc(s.Folders, func(f Folder) bool { return f.Parent == parent && f.Title == title })
}

func TestForeignIsNeverTouched(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawPeople(t, "before"), drawPeople(t, "after")
		rules := exactRules()
		s := newFake(9, usersOf(1, before), nil)
		d, err := Build(rules, before)
		if err != nil {
			t.Fatal(err)
		}
		syncOne(t, rules, s, booksOf(d, 1))

		// Entries without our key, folders of others inside and beside ours,
		// folders of the service account with foreign content.
		var foreign []string
		for i := range s.snap.Folders {
			if rapid.Bool().Draw(t, "foreign entry") {
				e := Stored{ID: s.id(), Entry: Entry{DisplayName: "Hausmeister", Key: "other:p:x"}}
				s.snap.Folders[i].Entries = append(s.snap.Folders[i].Entries, e)
				foreign = append(foreign, "entry "+e.ID)
			}
			if rapid.Bool().Draw(t, "foreign folder") {
				f := Folder{ID: s.id(), Parent: s.snap.Folders[i].ID, Title: "Klasse 1a", CreatedBy: 77,
					Entries: []Stored{{ID: s.id(), Entry: Entry{DisplayName: "x"}}}}
				if taken(s.snap, f.Parent, f.Title) {
					f.Title = "Klasse 1b"
				}
				if taken(s.snap, f.Parent, f.Title) {
					f.Title = "Fremd"
				}
				s.snap.Folders = append(s.snap.Folders, f)
				foreign = append(foreign, "folder "+f.ID)
			}
		}
		top := Folder{ID: s.id(), Parent: PublicFolder, Title: "Schule Berg", CreatedBy: 77}
		own := Folder{ID: s.id(), Parent: PublicFolder, Title: "Notizen", CreatedBy: 9,
			Entries: []Stored{{ID: s.id(), Entry: Entry{DisplayName: "x"}}}}
		empty := Folder{ID: s.id(), Parent: PublicFolder, Title: "Leer", CreatedBy: 9}
		s.snap.Folders = append(s.snap.Folders, own, empty)
		foreign = append(foreign, "folder "+own.ID, "folder "+empty.ID, "entry "+own.Entries[0].ID)
		if !taken(s.snap, PublicFolder, top.Title) {
			s.snap.Folders = append(s.snap.Folders, top)
			foreign = append(foreign, "folder "+top.ID)
		}
		picture := func() map[string]string {
			all := map[string]string{}
			for _, f := range s.snap.Folders {
				g := f
				g.Entries = nil
				all["folder "+f.ID] = fmt.Sprint(g)
				for _, e := range f.Entries {
					all["entry "+e.ID] = fmt.Sprint(f.ID, e)
				}
			}
			return all
		}
		was := picture()
		if d, err = Build(rules, after); err != nil {
			t.Fatal(err)
		}
		s.snap.Users = usersOf(1, after)
		syncOne(t, rules, s, booksOf(d, 1))
		is := picture()
		for _, k := range foreign {
			if was[k] != is[k] {
				t.Fatalf("%s was touched:\n%s\n%s", k, was[k], is[k])
			}
		}
	})
}
