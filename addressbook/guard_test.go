package addressbook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
)

// mustHold syncs and expects something to be held, with a finding of this text.
func mustHold(t testing.TB, rules Rules, people []schoolmail.Account, stores map[schoolmail.ContextID]Store,
	day schoolmail.Date, text string) {
	t.Helper()
	r := mustSync(t, rules, mustBuild(t, rules, people), stores, day, nil)
	held, findings := false, ""
	for _, c := range r.Contexts {
		held = held || c.Plan.Held
		findings += fmt.Sprintln(c.Plan.Findings)
	}
	if !held || !strings.Contains(findings, text) {
		t.Errorf("held is %v, findings %s", held, findings)
	}
}

// TestGrowthIsGuarded: when a directory suddenly calls pupils teachers, they are
// neither listed among the teachers nor let into what teachers read; what belongs to
// nobody else goes on. With the limit lifted it is done.
func TestGrowthIsGuarded(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	people := crowd("1a", "1b", "1c", "1d")
	stores := storesFor(people)
	mustSync(t, rules, mustBuild(t, rules, people), stores, someDay, nil)
	before := shapes(stores)
	wrong := append([]schoolmail.Account(nil), people...)
	for i := range wrong {
		wrong[i].Role = schoolmail.RoleTeacher
	}
	lenient := rules
	lenient.MaxGonePercent = 100 // the loss guard would stop it first
	mustHold(t, lenient, wrong, stores, someDay+1, "would grow in people from 1 to 41")
	after := shapes(stores)
	if strings.Contains(after, `/Lehrpersonen aller Schulen > `) &&
		strings.Count(line(after, "/Lehrpersonen aller Schulen ["),
			" read") != strings.Count(line(before, "/Lehrpersonen aller Schulen ["), " read") {
		t.Errorf("pupils can read the teachers' book:\n%s", after)
	}
	if strings.Contains(line(after, "/Lehrpersonen aller Schulen > schoolmail:p"), "k1a0@") {
		t.Errorf("pupils are listed among the teachers:\n%s", after)
	}
	lenient.MaxGrowthPercent = -1
	mustSync(t, lenient, mustBuild(t, lenient, wrong), stores, someDay+2, nil)
	if !strings.Contains(shapes(stores), "k1a0@example.org") {
		t.Error("the limit is lifted, and nothing was done")
	}
}

// line is the lines of a shape that begin with prefix.
func line(shape, prefix string) string {
	var out []string
	for l := range strings.Lines(shape) {
		if strings.HasPrefix(l, prefix) {
			out = append(out, l)
		}
	}
	return strings.Join(out, "")
}

// TestUsualGrowthPasses: twenty more, or half as many again.
func TestUsualGrowthPasses(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	all := crowd("1a", "1b", "1c", "1d", "1e", "1f")
	stores := storesFor(all)
	mustSync(t, rules, mustBuild(t, rules, all[:41]), stores, someDay, nil)
	for _, c := range mustSync(t, rules, mustBuild(t, rules, all[:61]), stores, someDay+1, nil).Contexts {
		if c.Plan.Held {
			t.Errorf("held: %v", c.Plan.Findings)
		}
	}
	nothingLeft(t, rules, mustBuild(t, rules, all[:61]), stores, someDay+1)
}

// TestAnotherSaltHoldsEverything: entries with keys that nobody knows are somebody's
// under another salt. Nothing is written until somebody orders new keys, and that
// can be broken off and goes on in the next run.
func TestAnotherSaltHoldsEverything(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	people := crowd("1a", "1b", "1c", "1d")
	stores := storesFor(people)
	mustSync(t, rules, mustBuild(t, rules, people), stores, someDay, nil)
	before := shapes(stores)
	other := rules
	other.Salt = "another salt, longer"
	mustHold(t, other, people, stores, someDay+1, "another salt")
	if shapes(stores) != before {
		t.Error("something was written")
	}
	other.Rekey = true
	store := stores[1].(*fakeStore)
	store.crash = func(n int, _ bool) error {
		if n > store.requests/2+3 {
			return fmt.Errorf("broken off")
		}
		return nil
	}
	if r, err := Sync(t.Context(), other, mustBuild(t, other, people), stores, someDay+1, nil); err == nil &&
		r.Err() == nil {
		t.Error("was not broken off")
	}
	store.crash = nil
	mustSync(t, other, mustBuild(t, other, people), stores, someDay+1, nil)
	other.Rekey = false
	nothingLeft(t, other, mustBuild(t, other, people), stores, someDay+1)
	if n := strings.Count(shapes(stores), "k1a0@example.org"); n != strings.Count(before, "k1a0@example.org") {
		t.Errorf("k1a0 stands in %d places", n)
	}
}

// TestExcluded: by record id or user name, or by a mark in the directory; who is
// excluded still reads.
func TestExcluded(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	people := village()
	rules.Exclude = []Exclusion{{ID: people[0].Key.ID}, {Username: people[1].Username}}
	people[2].Unlisted = true
	d := mustBuild(t, rules, people)
	reads := false
	for _, c := range d.Contexts {
		for _, b := range c.Books {
			for _, e := range b.Entries {
				if e.Mail == people[0].Mail || e.Mail == people[1].Mail || e.Mail == people[2].Mail {
					t.Errorf("%s is in %s", e.Mail, b.Key)
				}
				for _, m := range e.Members {
					if m.Mail == people[0].Mail {
						t.Errorf("%s is in the list of %s", m.Mail, b.Key)
					}
				}
			}
			for _, a := range b.Readers {
				for _, u := range a.Users {
					reads = reads || u == people[0].Username
				}
			}
		}
	}
	if !reads {
		t.Error("who is excluded reads nothing any more")
	}
	if len(d.Findings) == 0 || !strings.Contains(d.Findings[0].Text, "3 people are kept out") {
		t.Errorf("findings %v", d.Findings)
	}
}

// TestWhoSeesTelephones: a book shows the same to all its readers in a context, so
// the telephones of teachers are left out where pupils read, unless the rules say
// otherwise, for all books or for one.
func TestWhoSeesTelephones(t *testing.T) {
	t.Parallel()
	everyone := []Show{{Role: schoolmail.RoleTeacher, Fields: []Field{FieldPhone, FieldSchool},
		To: []schoolmail.Role{schoolmail.RolePupil, schoolmail.RoleTeacher, schoolmail.RoleStaff}}}
	for name, tt := range map[string]struct {
		change func(*Rules)
		pupils bool // see the telephones in "teachers"
	}{
		"by default":       {func(*Rules) {}, false},
		"shown to all":     {func(r *Rules) { r.Show = everyone }, true},
		"shown in a book":  {func(r *Rules) { r.Books[1].Show = everyone }, true},
		"shown in another": {func(r *Rules) { r.Books[2].Show = everyone }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := villageRules()
			tt.change(&rules)
			for _, c := range mustBuild(t, rules, village()).Contexts {
				for _, b := range c.Books {
					if b.Rule != "teachers" {
						continue
					}
					teachers := c.Context == 1
					if phone := b.Entries[0].Phone != ""; phone != (teachers || tt.pupils) {
						t.Errorf("context %d, %s: telephone shown is %v", c.Context, b.Key, phone)
					}
					if b.Entries[0].School == "" {
						t.Errorf("context %d, %s: the school is not shown", c.Context, b.Key)
					}
				}
			}
		})
	}
}

// TestForeignFolderInsideOursIsLeftAlone: a folder that somebody made inside a
// school's folder with the service account, and left empty, carries no key of ours;
// it keeps its permissions and gets no entry. What a run left that ended before it
// wrote the head is adopted where a book is to be.
func TestForeignFolderInsideOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	people := village()
	stores := storesFor(people)
	mustSync(t, rules, mustBuild(t, rules, people), stores, someDay, nil)
	store := stores[1].(*fakeStore)
	var school, class string
	for _, f := range store.snap.Folders {
		switch f.Title {
		case "Schule Au", "au":
			school = f.ID
		case "Klasse 3a":
			class = f.ID
		}
	}
	if school == "" || class == "" {
		t.Fatal("no school or class folder")
	}
	perms := []Permission{{Entity: 9, Right: Owner}, {Entity: 10, Right: ReadOnly}}
	store.snap.Folders = append(store.snap.Folders,
		Folder{ID: "900", Parent: school, Title: "Sitzungen", CreatedBy: 9, Permissions: perms})
	r := mustSync(t, rules, mustBuild(t, rules, people), stores, someDay+1, nil)
	if !strings.Contains(fmt.Sprint(r.Contexts[0].Plan.Findings),
		"Sitzungen: a folder that is not ours lies in one of ours") {
		t.Errorf("findings %v", r.Contexts[0].Plan.Findings)
	}
	for i, f := range store.snap.Folders {
		switch f.ID {
		case "900":
			if len(f.Entries) > 0 || len(f.Permissions) != 2 {
				t.Errorf("it has %v and %v now", f.Entries, f.Permissions)
			}
		case class: // as if the run had ended right after making it
			store.snap.Folders[i].Entries = nil
		}
	}
	mustSync(t, rules, mustBuild(t, rules, people), stores, someDay+1, nil)
	for _, f := range store.snap.Folders {
		if f.ID == class && len(f.Entries) == 0 {
			t.Error("the empty folder of a class was not taken up again")
		}
	}
}
