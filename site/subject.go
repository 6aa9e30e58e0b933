package site

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/journal"
)

// Subject is all that a site keeps about one person: what somebody gets who asks
// for it. It is full of personal data.
type Subject struct {
	Key         schoolmail.RecordKey
	Explanation *Explanation // nil: neither delivered nor in the directory
	Runs        []KeptRun    // oldest first
	Journal     []schoolmail.JournalEntry
	Passwords   []string   // files with an initial password
	Deletions   []Deletion // proofs that an account of the record was purged
}

// KeptRun is what the folder of a run keeps about a person.
type KeptRun struct {
	Folder string
	Steps  []schoolmail.Step
	Held   []schoolmail.Held
	Copies []CopyReport
	Named  bool // their names are kept, too
}

// Subject collects all that is kept about a person, given as for [Site.Explain].
// Somebody who was purged is found by the id of the record.
func (s *Site) Subject(ctx context.Context, w *World, plan *schoolmail.Plan, who string) (*Subject, error) {
	sub := &Subject{Key: schoolmail.RecordKey{Source: s.policy.Source, ID: strings.TrimSpace(who)}}
	e, err := s.Explain(ctx, w, plan, who)
	switch {
	case err == nil:
		sub.Explanation, sub.Key = e, e.key()
	case !errors.Is(err, ErrNobody):
		return nil, err
	}
	name := ""
	if e != nil {
		name = e.username()
	}
	if err := s.subjectRuns(sub); err != nil {
		return nil, err
	}
	mine := func(j schoolmail.JournalEntry) bool {
		_, key, _ := strings.Cut(j.Step, ":")
		if key == sub.Key.String() || name != "" && j.Subject == name {
			sub.Journal = append(sub.Journal, j)
		}
		return true
	}
	if err := journal.ReadAll(s.journalFile(), mine, &journal.Options{Names: s.names}); err != nil {
		return nil, err
	}
	if err := s.subjectPasswords(sub, name); err != nil {
		return nil, err
	}
	proofs, err := s.Deletions()
	for _, d := range proofs {
		if d.Record == sub.Key.String() {
			sub.Deletions = append(sub.Deletions, d)
		}
	}
	if err == nil && e == nil && len(sub.Runs)+len(sub.Journal)+len(sub.Passwords)+len(sub.Deletions) == 0 {
		return nil, fmt.Errorf("%q: %w", who, ErrNobody)
	}
	return sub, err
}

// subjectRuns looks through the folders of all runs, and the plan under way.
func (s *Site) subjectRuns(sub *Subject) error {
	look := func(folder, plan, names string) error {
		p, err := readKept(plan, names)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		run := KeptRun{Folder: folder}
		for _, st := range p.Steps {
			if st.Key == sub.Key {
				run.Steps = append(run.Steps, st)
				run.Named = run.Named || !st.Nameless()
			}
		}
		for _, h := range p.Held {
			if h.Step.Key == sub.Key {
				run.Held = append(run.Held, h)
				run.Named = run.Named || !h.Step.Nameless()
			}
		}
		copies, err := readCopies(filepath.Join(folder, copiesFile))
		for _, c := range copies {
			if c.Username == sub.Key.String() {
				run.Copies = append(run.Copies, c)
			}
		}
		if len(run.Steps)+len(run.Held)+len(run.Copies) > 0 {
			sub.Runs = append(sub.Runs, run)
		}
		return err
	}
	runs, err := os.ReadDir(s.RunsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range runs {
		dir := filepath.Join(s.RunsDir(), d.Name())
		if err := look(dir, filepath.Join(dir, planFile), filepath.Join(dir, namesFile)); err != nil {
			return err
		}
	}
	return look(s.stateDir, s.planFile(), s.planNames())
}

func readCopies(file string) (list []CopyReport, err error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	return list, err
}

// subjectPasswords looks for the initial password of a person.
func (s *Site) subjectPasswords(sub *Subject, name string) error {
	var pw *passwords
	var err error
	for _, file := range []string{newPasswords, firstPasswords} {
		if pw, err = s.openPasswords(file); err != nil || name == "" {
			return err
		}
		if _, ok := pw.prepared[name]; ok {
			sub.Passwords = append(sub.Passwords, pw.file)
		}
	}
	files, err := pw.lists()
	if err != nil {
		return err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			if accountOf([]byte(line)) == name {
				sub.Passwords = append(sub.Passwords, f)
				break
			}
		}
	}
	index, err := pw.index()
	for f, names := range index {
		if slices.Contains(names, name) {
			sub.Passwords = append(sub.Passwords, filepath.Join(pw.dir, f))
		}
	}
	slices.Sort(sub.Passwords)
	return err
}

// WriteText writes it for somebody to read: what an explanation says, and what the
// state folder keeps.
func (sub *Subject) WriteText(w io.Writer) error {
	t := &lines{w: w}
	t.printf("All that is kept about record %s\n\n", sub.Key)
	if sub.Explanation != nil {
		if err := sub.Explanation.WriteText(w); err != nil {
			return err
		}
		sub.writeAccount(t)
	} else {
		t.section("Export and directory")
		t.item("neither delivered nor in the directory")
	}
	t.section("Kept runs")
	for _, r := range sub.Runs {
		names := "without names"
		if r.Named {
			names = "with names"
		}
		t.item("%s, %s", r.Folder, names)
		for _, s := range r.Steps {
			t.item("  %s: %s", s.Kind(), s.Reason)
		}
		for _, h := range r.Held {
			t.item("  held back: %s: %s", h.Step.Kind(), h.Why)
		}
		for _, c := range r.Copies {
			t.item("  copied from context %d to %d; lost: %s", c.From, c.To, strings.Join(c.Lost, ", "))
		}
	}
	t.none("in none")
	t.section("Journal, with its closed files")
	for _, j := range sub.Journal {
		t.item("%s plan %s: %s %s%s", j.Time.Format("2006-01-02 15:04"), j.Plan, j.Effect, j.Phase, where(j))
	}
	t.none("nothing")
	t.section("Initial passwords")
	for _, f := range sub.Passwords {
		t.item("%s", f)
	}
	t.none("in no list")
	if len(sub.Deletions) > 0 {
		t.section("Deleted")
		for _, d := range sub.Deletions {
			t.item("on %s: taken out of the names of %d runs and %d password lists", d.Day, d.Runs, d.Passwords)
		}
	}
	return t.err
}

// writeAccount writes what the directory keeps beside the account's own attributes.
func (sub *Subject) writeAccount(t *lines) {
	a := sub.Explanation.Account
	if a == nil {
		return
	}
	t.section("Kept in the directory's state text")
	say := func(what, value string) {
		if value != "" {
			t.item("%s %s", what, value)
		}
	}
	say("private address:", a.NoticeMail)
	say("telephone:", a.Phone)
	say("access combination:", a.Access)
	for _, m := range a.Marks {
		t.item("counted by guard %s since %s (%s at %s)", m.Guard, m.On, m.Role, m.School)
	}
	if a.Traits.Birth != "" {
		t.item("a keyed hash of the birth date")
	}
	if a.Traits.Number != "" {
		t.item("a keyed hash of the insurance number")
	}
	if a.Unlisted {
		t.item("in no address book")
	}
	t.none("nothing more")
}
