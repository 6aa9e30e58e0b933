package site_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// firstJournal is a journal as the first version wrote it: a number, a checksum and
// a JSON object per line.
func firstJournal(t *testing.T, entries ...schoolmail.JournalEntry) []byte {
	t.Helper()
	b := []byte("# schoolmail journal, format 1\n")
	for i, e := range entries {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		table := crc32.MakeTable(crc32.Castagnoli)
		sum := crc32.Update(0, table, strconv.AppendUint(nil, uint64(i+1), 10))
		b = fmt.Appendf(b, "%d %08x %s\n", i+1, crc32.Update(sum, table, text), text)
	}
	return b
}

// A whole state folder of the first version is carried on: the journal, a plan that
// was cut off while it was applied, passwords that were prepared, and lists that
// schools have. Nothing is doubled, and nobody gets another password.
func TestStateOfTheFirstVersion(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	set, day := sb.Settings(), sb.District.Today()
	export := people{"1": "Ottilie Zumthor", "2": "Balthasar Quirin", "3": "Cornelia Xaver"}
	plan := func() *schoolmail.Plan {
		t.Helper()
		look := *set
		look.PlanOnly = true
		s, err := site.Open(&look, &site.Parts{Reader: export})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		acts, err := s.Run(t.Context(), &site.RunOptions{Day: day})
		if err != nil {
			t.Fatal(err)
		}
		return acts[0].Plan
	}
	// The plan as the first version kept it: without a number of its form, names and all.
	old := plan()
	old.Header.Format, old.Header.ID = 0, ""
	old.Header.ID = old.Fingerprint()
	if err := os.MkdirAll(filepath.Join(set.StateDir, "initial-passwords"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := site.WritePlan(filepath.Join(set.StateDir, "current-plan.json"), old); err != nil {
		t.Fatal(err)
	}
	const kept = "username;name;classes;password\nearlier.one;Earlier One;;aaaaa-bbbbb-cccc\n"
	const prepared = "zzzzz-yyyyy-xxxx"
	at := time.Now().Add(-time.Hour)
	files := map[string][]byte{
		"journal.jsonl": firstJournal(t,
			schoolmail.JournalEntry{Time: at, Plan: old.Header.ID, Effect: "plan", Phase: schoolmail.Intent},
			schoolmail.JournalEntry{Time: at, Plan: old.Header.ID, Step: "create:escada/1", Effect: "create-account",
				Phase: schoolmail.Intent, Subject: "ottilie.zumthor"}),
		"prepared-passwords.json": []byte(`[{"username":"ottilie.zumthor","name":"Ottilie Zumthor","classes":"",` +
			`"school":"ps-birkenhof","password":"` + prepared + `"}]`),
		"initial-passwords/ps-birkenhof.csv": []byte(kept),
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(set.StateDir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	act := night(t, set, export, day)
	if act.Plan.Header.ID != old.Header.ID || act.Title != "Rest of a plan that was cut off" {
		t.Errorf("the plan was not carried on: %q, plan %s", act.Title, act.Plan.Header.ID)
	}
	if n := act.Result.Count(schoolmail.StatusDone); n != len(old.Steps) {
		t.Errorf("%d of %d steps are done: %v", n, len(old.Steps), act.Report().Failures)
	}
	list, err := os.ReadFile(filepath.Join(set.StateDir, "initial-passwords", "ps-birkenhof.csv"))
	if err != nil || !bytes.HasPrefix(list, []byte(kept)) || strings.Count(string(list), "\n") != 5 ||
		!strings.Contains(string(list), "ottilie.zumthor;Ottilie Zumthor;;"+prepared) {
		t.Errorf("passwords: %s %v", list, err)
	}
	if again := night(t, set, export, day); !again.Plan.Empty() || len(again.Plan.Held) > 0 {
		t.Errorf("not all was done: %s", again.Plan.Summary())
	}
	rep, err := site.VerifyJournal(set)
	if err != nil || rep.Files != 2 || len(rep.Missing) > 0 {
		t.Errorf("the journal: %+v %v", rep, err)
	}
}
