package site_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/journal"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// Whoever is renamed before the first password is handed out stands in the list under the
// new user name; and whoever is purged later stands in no list, under neither name. A list
// that is encrypted cannot be changed: it goes as a whole.
func TestPasswordListsFollowARename(t *testing.T) {
	t.Parallel()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]site.HandOut{
		"clear":     {},
		"letters":   {Letters: true},
		"encrypted": {Key: id.Recipient().String(), Letters: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := marriedWith(t, out, sitetest.WithNewLoginNames())
			dir := filepath.Join(m.set.StateDir, "initial-passwords")
			first := handed(t, m.set)
			m.all["1"] = "Ottilie Abegg"
			if _, err := m.rename(t, m.day+1, schoolmail.RenameRequest{}, site.Parts{}); err != nil {
				t.Fatal(err)
			}
			now := handed(t, m.set)
			if name != "encrypted" && (now["ottilie.abegg"] == "" || now["ottilie.abegg"] != first["ottilie.zumthor"] ||
				now["ottilie.zumthor"] != "" || len(now) != len(first)) {
				t.Errorf("the list has %v, before %v", now, first)
			}
			delete(m.all, "1")
			for _, day := range []schoolmail.Date{2, 60, 64 + schoolmail.Date(m.sb.Policy.LifeCycle.PurgeDays)} {
				night(t, m.set, m.all, m.day+day)
			}
			if f := found(t, m.set.StateDir, "zumthor", "abegg"); len(f) > 0 {
				t.Errorf("still named: %v", f)
			}
			if text := handedOut(t, dir, id); strings.Contains(strings.ToLower(text), "zumthor") ||
				strings.Contains(text, "abegg") {
				t.Errorf("purged and still handed out: %s", text)
			}
			if name != "encrypted" && handed(t, m.set)["balthasar.quirin"] == "" {
				t.Error("somebody else is forgotten")
			}
		})
	}
}

// A rename that is cut off before the lists have followed is made up for by the next run.
func TestPasswordListsFollowLater(t *testing.T) {
	t.Parallel()
	m := married(t, sitetest.WithNewLoginNames())
	list := filepath.Join(m.set.StateDir, "initial-passwords", "ps-birkenhof.csv")
	before, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	m.all["1"] = "Ottilie Abegg"
	if _, err := m.rename(t, m.day+1, schoolmail.RenameRequest{}, site.Parts{}); err != nil {
		t.Fatal(err)
	}
	// As a spreadsheet saves it.
	saved := "\ufeff" + strings.ReplaceAll(strings.ReplaceAll(string(before), "ottilie.zumthor;", `"ottilie.zumthor";`),
		"\n", "\r\n")
	if err := os.WriteFile(list, []byte(saved), 0o600); err != nil {
		t.Fatal(err)
	}
	m.all["4"] = "Damian Yersin"
	night(t, m.set, m.all, m.day+2)
	after, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(saved, `"ottilie.zumthor"`, `"ottilie.abegg"`)
	if !strings.HasPrefix(string(after), want) {
		t.Errorf("the list is\n%s\nwant, and a line more,\n%s", after, want)
	}
}

// Whoever is renamed and then back again stands in the lists under the name that is theirs
// now, whether the lists have followed the first rename or that run was cut off before.
func TestPasswordListsFollowARenameAndBack(t *testing.T) {
	t.Parallel()
	for name, cutOff := range map[string]bool{"followed": false, "cut off": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := married(t, sitetest.WithNewLoginNames())
			list := filepath.Join(m.set.StateDir, "initial-passwords", "ps-birkenhof.csv")
			before, err := os.ReadFile(list)
			if err != nil {
				t.Fatal(err)
			}
			first := handed(t, m.set)
			m.all["1"] = "Ottilie Abegg"
			if _, err := m.rename(t, m.day+1, schoolmail.RenameRequest{}, site.Parts{}); err != nil {
				t.Fatal(err)
			}
			if cutOff {
				if err := os.WriteFile(list, before, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			m.all["1"] = "Ottilie Zumthor"
			if _, err := m.rename(t, m.day+2, schoolmail.RenameRequest{}, site.Parts{}); err != nil {
				t.Fatal(err)
			}
			if a := account(t, m.world(t, m.day+2), "1"); a.Username != "ottilie.zumthor" {
				t.Fatalf("the user name is %s", a.Username)
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(first)), slices.Sorted(maps.Keys(handed(t, m.set)))); diff != "" {
				t.Errorf("who stands in the lists (-want +got):\n%s", diff)
			}
		})
	}
}

// elsewhere is an export in which record 1 is at another school.
type elsewhere struct {
	people
	school schoolmail.SchoolID
}

func (l elsewhere) Read(ctx context.Context, day schoolmail.Date) (schoolmail.Delivery, error) {
	d, err := l.people.Read(ctx, day)
	d.Fingerprint += string(l.school)
	for i := range d.Records {
		if d.Records[i].Key.ID == "1" {
			d.Records[i].Memberships[0].School = l.school
		}
	}
	return d, err
}

// A new password that was cut off goes to the school where the person is when it is set.
func TestNewPasswordCutOffBeforeAChangeOfSchool(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	set, day := sb.Settings(), sb.District.Today()
	other := sb.District.Schools()[0].ID
	if other == "ps-birkenhof" {
		other = sb.District.Schools()[1].ID
	}
	set.Policy.Schools = append(set.Policy.Schools, schoolmail.School{ID: other})
	all := people{"1": "Ottilie Zumthor", "2": "Balthasar Quirin", "3": "Cornelia Xaver"}
	night(t, set, all, day)
	first := handed(t, set)["ottilie.zumthor"]
	ask := func(who string, parts *site.Parts) error {
		s := testlife.Of(site.Open(set, parts))(t)
		defer s.Close()
		_, err := s.NewPasswords(t.Context(), site.WhosePasswords{Who: who}, &site.NewPasswordOptions{Day: day, Apply: true})
		return err
	}
	if ask("ottilie.zumthor", &site.Parts{Journal: &journal.Faulty{Journal: &journal.Memory{}, Fail: 1}}) == nil {
		t.Fatal("not cut off")
	}
	s := testlife.Of(site.Open(set, &site.Parts{Reader: elsewhere{all, other}}))(t)
	acts, err := s.Run(t.Context(), &site.RunOptions{Day: day, Apply: true})
	if err != nil || acts[len(acts)-1].Plan.Count()[schoolmail.KindChange] != 1 {
		t.Fatal(err, acts[len(acts)-1].Plan.Summary())
	}
	if act := acts[len(acts)-1]; act.Err != nil || act.Result.Count(schoolmail.StatusDone) != len(act.Plan.Steps) {
		t.Fatalf("%v: %+v", act.Err, act.Result)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ask("balthasar.quirin", nil); err != nil {
		t.Fatal(err)
	}
	list := func(school string) string {
		b, err := os.ReadFile(filepath.Join(set.StateDir, "initial-passwords", school+".csv"))
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	if was, is := list("ps-birkenhof"), list(string(other)); !strings.Contains(is, "ottilie.zumthor;") ||
		strings.Contains(is, first) || strings.Contains(was, "ottilie.zumthor") ||
		!strings.Contains(was, "balthasar.quirin") {
		t.Errorf("the old school has\n%s\nthe new one\n%s", was, is)
	}
}
