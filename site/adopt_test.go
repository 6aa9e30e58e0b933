package site_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/journal"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// living is a district that lives and that schoolmail has never seen, with the accounts
// as they were.
func living(t *testing.T) (sb *sitetest.Populated, before []schoolmail.Account) {
	t.Helper()
	sb = testlife.Of(sitetest.StartPopulated(t.Context(), sitetest.WithPeople(60)))(t)
	if n, err := sb.Estrange(); err != nil || n != 60 {
		t.Fatal(n, err)
	}
	for _, a := range sb.Accounts {
		if !a.Key.IsZero() {
			before = append(before, a)
		}
	}
	return sb, before
}

// opened opens the site of the sandbox's own settings, for a test.
func opened(t *testing.T, set *site.Settings, own *site.Parts) *site.Site {
	t.Helper()
	s, err := site.Open(set, own)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// sign does what somebody does with a list: takes the # from those rows that are right
// and fills in who answers for it.
func sign(t *testing.T, file string, accounts []schoolmail.Account) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "\nby;\n", "\nby;H. Frei\n", 1)
	text = strings.Replace(text, "\ndate;\n", "\ndate;2026-11-29\n", 1)
	for _, a := range accounts {
		text = strings.Replace(text, "\n# "+a.Username+";"+a.Key.ID+";", "\n"+a.Username+";"+a.Key.ID+";", 1)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A site that lives is taken over: first nobody gets a second account or a notice, then
// a list is proposed, signed and carried out, and from then on there is nothing to do.
// The accounts have their record ids, and all else is as it was.
func TestLivingSiteIsTakenOver(t *testing.T) {
	t.Parallel()
	sb, before := living(t)
	day := sb.District.Today()
	set := sb.Settings()
	set.Retention = 0
	s := opened(t, set, nil)
	act := func() *site.Act {
		t.Helper()
		acts, err := s.Run(t.Context(), &site.RunOptions{Day: day, Apply: true})
		if err != nil || len(acts) != 1 || acts[0].Err != nil {
			t.Fatal(acts, err)
		}
		return acts[0]
	}
	if a := act(); !a.Plan.Empty() || len(a.Plan.Held) != 60 {
		t.Fatalf("first night: %s", a.Plan.Summary())
	} else if b, err := os.ReadFile(filepath.Join(a.Folder, "acknowledgement.csv")); err != nil ||
		strings.Count(string(b), "die Informatik sorgt dafür") != 60 {
		t.Errorf("the school administration is told that something is wrong with what it sent: %v\n%s", err, b)
	}
	list, err := s.Proposals(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]schoolmail.RecordKey{}
	for _, a := range before {
		keys[a.Username] = a.Key
	}
	sure := 0
	for _, p := range list {
		if p.Sure {
			sure++
			if keys[p.Username] != p.Key {
				t.Errorf("%s is not %s, but proposed as sure: %s", p.Username, p.Key, p.Why)
			}
		}
	}
	if sure != 58 || len(list) != 58+4 { // two who have one name, and are at one school
		t.Errorf("%d of %d are sure", sure, len(list))
	}
	file := filepath.Join(t.TempDir(), "take over.csv")
	if err := site.WriteProposals(file, day, list); err != nil {
		t.Fatal(err)
	}
	if err := site.WriteProposals(file, day, list); err == nil {
		t.Error("a list was overwritten")
	}
	if _, err := s.Adopt(t.Context(), file, &site.AdoptOptions{Day: day, Apply: true}); err == nil ||
		!strings.Contains(err.Error(), "not signed") {
		t.Errorf("an unsigned list: %v", err)
	}
	sign(t, file, before)
	// Without Apply nothing is written; then everything; a second time nothing more.
	for _, c := range []struct {
		apply            bool
		adopted, already int
	}{{false, 60, 0}, {true, 60, 0}, {true, 0, 60}} {
		res, err := s.Adopt(t.Context(), file, &site.AdoptOptions{Day: day, Apply: c.apply})
		if err != nil || res.Adopted != c.adopted || res.Already != c.already || len(res.Refused) > 0 ||
			res.By != "H. Frei, 2026-11-29" {
			t.Fatalf("apply %v: %+v %v", c.apply, res, err)
		}
	}
	w, err := s.Look(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	var after []schoolmail.Account
	for _, a := range w.State.Accounts {
		if !a.Key.IsZero() {
			after = append(after, a)
		}
	}
	for i := range before { // what stood in the life-cycle text is not known any more
		before[i].Made, before[i].Access, before[i].Traits, before[i].NoticeMail = 0, "", schoolmail.Traits{}, ""
	}
	if d := gocmp.Diff(before, after); d != "" {
		t.Errorf("accounts: -before +after\n%s", d)
	}
	if a := act(); !a.Plan.Empty() || len(a.Plan.Held) > 0 {
		t.Errorf("next night: %s", a.Plan.Summary())
	}
	written := map[schoolmail.JournalPhase]int{}
	if err := journal.ReadAll(filepath.Join(set.StateDir, "journal.jsonl"), func(e schoolmail.JournalEntry) bool {
		if e.Effect == "adopt-account" {
			written[e.Phase]++
			if !strings.HasPrefix(e.By, "H. Frei, 2026-11-29, list ") || !strings.HasPrefix(e.Subject, "escada") {
				t.Errorf("%+v", e)
			}
		}
		return true
	}, nil); err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(map[schoolmail.JournalPhase]int{schoolmail.Intent: 60, schoolmail.Done: 60}, written); d != "" {
		t.Errorf("journal: -want +got\n%s", d)
	}
}

// cutJournal takes so many entries, then no more: as if the program was killed there.
type cutJournal struct {
	schoolmail.Journal
	left int
}

func (j *cutJournal) Append(es ...schoolmail.JournalEntry) error {
	if j.left -= len(es); j.left < 0 {
		return errors.New("killed")
	}
	return j.Journal.Append(es...)
}

// Cut off anywhere, the same command goes on, and nobody is taken over twice.
func TestTakingOverIsCutOff(t *testing.T) {
	t.Parallel()
	sb, before := living(t)
	day := sb.District.Today()
	file := filepath.Join(t.TempDir(), "list.csv")
	memory := &journal.Memory{}
	with := func(left int) *site.Site {
		set := sb.Settings()
		set.Parallel = 1
		return opened(t, set, &site.Parts{Journal: &cutJournal{memory, left}})
	}
	list, err := with(0).Proposals(t.Context(), day)
	if err == nil {
		err = site.WriteProposals(file, day, list)
	}
	if err != nil {
		t.Fatal(err)
	}
	sign(t, file, before)
	had := 0 // accounts with a record id
	for _, left := range []int{0, 1, 2, 3, 12, 13} {
		res, err := with(left).Adopt(t.Context(), file, &site.AdoptOptions{Day: day, Apply: true})
		if err == nil || !strings.Contains(err.Error(), "run the same command to go on") {
			t.Fatalf("%d entries: %+v %v", left, res, err)
		}
		if res.Already != had {
			t.Errorf("%d entries: %d had an id before, want %d", left, res.Already, had)
		}
		had += (left + 1) / 2 // an intent alone was carried out, too
	}
	res, err := with(1000).Adopt(t.Context(), file, &site.AdoptOptions{Day: day, Apply: true})
	if err != nil || res.Already != had || res.Adopted != 60-had {
		t.Errorf("the rest: %+v, %v, want %d and %d", res, err, had, 60-had)
	}
}

// All mistakes of a list are told at once, where they are, without naming anybody, and
// nothing is done. What the directory itself refuses is told by row.
func TestMistakesInAList(t *testing.T) {
	t.Parallel()
	sb, before := living(t)
	day := sb.District.Today()
	s := opened(t, sb.Settings(), nil)
	file := filepath.Join(t.TempDir(), "list.csv")
	slices.SortFunc(before, func(a, b schoolmail.Account) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Username, b.Username))
	})
	pupil, other, teacher := before[0], before[1], before[len(before)-1]
	put := func(rows ...string) {
		t.Helper()
		text := "by;H. Frei\ndate;2026-11-29\nusername;record;why\n" + strings.Join(rows, "\n") + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	row := func(user string, key schoolmail.RecordKey) string { return user + ";" + key.ID + ";" }
	put(row("nobody.at.all", pupil.Key), row(pupil.Username, schoolmail.RecordKey{ID: "no-record"}),
		row(other.Username, other.Key), row(other.Username, teacher.Key),
		row(teacher.Username, other.Key), "# "+row("comment", teacher.Key), ";;")
	_, err := s.Adopt(t.Context(), file, &site.AdoptOptions{Day: day, Apply: true})
	if _, ok := errors.AsType[*site.InputError](err); !ok {
		t.Fatal(err)
	}
	for i, want := range []string{
		`:10:1: column "username" is empty`, `:10:1: column "record" is empty`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%d: nothing of %q in\n%v", i, want, err)
		}
	}
	put(row("nobody.at.all", pupil.Key), row(pupil.Username, schoolmail.RecordKey{ID: "no-record"}),
		row(other.Username, other.Key), row(other.Username, teacher.Key), row(teacher.Username, other.Key))
	_, err = s.Adopt(t.Context(), file, &site.AdoptOptions{Day: day, Apply: true})
	if err == nil {
		t.Fatal("accepted")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		got = append(got, strings.TrimSpace(strings.TrimPrefix(line, file)))
	}
	column := func(user string) int { return len(user) + 2 }
	want := []string{
		":4:1: expected the user name of an account in the directory",
		fmt.Sprintf(":5:%d: expected the id of a record that is delivered and readable", column(pupil.Username)),
		":7:1: the user name stands in line 6 already",
		fmt.Sprintf(":8:%d: the record stands in line 6 already", column(teacher.Username)),
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	// Two people are not made one, and nobody who has an id gets another.
	put(row(teacher.Username, pupil.Key))
	if _, err := s.Adopt(t.Context(), file, &site.AdoptOptions{Day: day}); err == nil ||
		!strings.Contains(err.Error(), "account and record do not go together") {
		t.Errorf("somebody else's record: %v", err)
	}
	put(row(other.Username, other.Key))
	if res, err := s.Adopt(t.Context(), file, &site.AdoptOptions{Day: day, Apply: true}); err != nil || res.Adopted != 1 {
		t.Fatalf("%+v %v", res, err)
	}
	for rows, want := range map[string]string{
		row(other.Username, pupil.Key): ":4:1: the account has a record id already",
		row(pupil.Username, other.Key): fmt.Sprintf(":4:%d: another account has this record id", column(pupil.Username)),
	} {
		put(rows)
		_, err := s.Adopt(t.Context(), file, &site.AdoptOptions{Day: day})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A name of the directory with line breaks in it puts no row into the list that nobody
// has taken the # away from.
func TestProposalsToAskAboutStayCommented(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Ida\nx.y;7;sure;;;", "Ida\r\nx.y;7;sure;;;", "Ida\rx.y;7;sure;;;"} {
		file := filepath.Join(t.TempDir(), "list.csv")
		list := []site.Proposal{{Adoption: schoolmail.Adoption{Username: "ida.abel", Key: schoolmail.RecordKey{ID: "1"}},
			Account: name, Person: name}}
		if err := site.WriteProposals(file, schoolmail.NewDate(2026, 8, 10), list); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.FieldsFunc(string(data), func(r rune) bool { return r == '\n' || r == '\r' }) {
			if strings.HasPrefix(line, "x.y") {
				t.Errorf("%q: a row that nobody has agreed to: %s", name, line)
			}
		}
	}
}
