package site

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/site/journal"
	"github.com/ictmedia/schoolmail/site/report"
)

// Every run that applies something keeps a folder of its own in the state, named
// by its day and its plan: what it was about to do is there before it begins,
// what came of it afterwards. Folders are never written over.

// keep makes the folder of an act and puts its plan there.
func (s *Site) keep(act *Act) error {
	if err := os.MkdirAll(s.RunsDir(), 0o700); err != nil {
		return fmt.Errorf("the folder of this run cannot be made, nothing was done: %w", err)
	}
	act.register = worldRegister(act.World)
	act.register.plan(act.Plan)
	act.register.expect(act.Plan, act.World)
	if err := s.names.learn(act.Plan, act.register); err != nil {
		return fmt.Errorf("state folder: nothing was done: %w", err)
	}
	name := act.Plan.Header.Now.String() + "-" + act.Plan.Header.ID
	for n := 1; ; n++ {
		id := name
		if n > 1 { // the same plan again, on the same day
			id = fmt.Sprintf("%s-%d", name, n)
		}
		act.Folder = filepath.Join(s.RunsDir(), id)
		err := os.Mkdir(act.Folder, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = keepPlan(filepath.Join(act.Folder, planFile), filepath.Join(act.Folder, namesFile), act.Plan, act.register)
		}
		if err != nil {
			return fmt.Errorf("the folder of this run cannot be written, nothing was done: %w", err)
		}
		return nil
	}
}

const (
	planFile = "plan.json"
	hashFile = "journal-hash.txt" // in which the journal ended after the run
)

// VerifyJournal goes through the journal of a site with all its closed files, and
// compares it with what the kept runs remember of it. It needs no server and no
// lock.
func VerifyJournal(set *Settings) (*journal.Report, error) {
	s := &Site{stateDir: set.StateDir}
	runs, err := os.ReadDir(s.RunsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var hashes []string
	for _, r := range runs {
		b, err := os.ReadFile(filepath.Join(s.RunsDir(), r.Name(), hashFile))
		if err == nil {
			hashes = append(hashes, strings.TrimSpace(string(b)))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return journal.Verify(s.journalFile(), hashes...)
}

// leave writes reports and acknowledgement of an act into its folder.
func (s *Site) leave(act *Act) error {
	bare, err := act.withoutNames()
	if err != nil {
		return err
	}
	var both errgroup.Group
	if s.journal != nil {
		both.Go(func() error {
			return atomicfile.WriteBytes(filepath.Join(act.Folder, hashFile), atomicfile.Private,
				[]byte(s.journal.Hash()+"\n"))
		})
	}
	both.Go(func() error {
		return WriteRun(act.Folder, &report.Report{Title: s.name, Written: time.Now()}, []*Act{bare})
	})
	return both.Wait()
}

// withoutNames returns an act as it is kept.
func (a *Act) withoutNames() (*Act, error) {
	b, r := *a, a.register
	var err error
	if b.Plan, err = a.Plan.WithoutNames(r.sentence); err != nil {
		return nil, err
	}
	w := *a.World
	b.World = &w
	w.Findings = slices.Clone(w.Findings)
	for i := range w.Findings {
		w.Findings[i].Text = r.sentence(w.Findings[i].Text)
	}
	w.Delivery.Rejected = slices.Clone(w.Delivery.Rejected)
	for i := range w.Delivery.Rejected {
		w.Delivery.Rejected[i].Reason = r.sentence(w.Delivery.Rejected[i].Reason)
	}
	if a.Result != nil {
		b.Result = &schoolmail.Result{Plan: a.Result.Plan, Outcomes: slices.Clone(a.Result.Outcomes)}
		for i := range b.Result.Outcomes {
			o := &b.Result.Outcomes[i]
			o.Subject, o.Error = b.Plan.Steps[i].Subject, r.sentence(o.Error)
		}
	}
	if a.Err != nil && !errors.Is(a.Err, context.Canceled) {
		b.Err = errors.New(r.sentence(a.Err.Error()))
	}
	return &b, nil
}

// FindRun returns the plan of a run that was applied here: by the name of the
// run's folder, by the id of its plan, or in a file.
func (s *Site) FindRun(ref string) (*schoolmail.Plan, error) {
	if strings.ContainsRune(ref, filepath.Separator) || strings.HasSuffix(ref, ".json") {
		return readKept(ref, filepath.Join(filepath.Dir(ref), namesFile))
	}
	runs, err := os.ReadDir(s.RunsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, r := range runs {
		if name := r.Name(); name == ref || len(name) > len("2006-01-02-") &&
			strings.HasPrefix(name[len("2006-01-02-"):], ref) {
			plan, err := readKept(filepath.Join(s.RunsDir(), name, planFile), filepath.Join(s.RunsDir(), name, namesFile))
			if err != nil {
				return nil, err
			}
			if name == ref || plan.Header.ID == ref {
				return plan, nil
			}
		}
	}
	return nil, fmt.Errorf("no run %q is kept in %s", ref, s.RunsDir())
}

// samePlan plans again from what was read now and compares with a plan that was
// reviewed, byte for byte: what is applied is what was computed.
func (s *Site) samePlan(w *World, plan *schoolmail.Plan) error {
	var again *schoolmail.Plan
	var err error
	if id := plan.Header.Undoes; id != "" {
		var done *schoolmail.Plan
		if done, err = s.FindRun(id); err == nil {
			again, err = s.Undo(w, done)
		}
	} else {
		again, err = s.Plan(w)
	}
	if err != nil {
		return fmt.Errorf("planning again: %w", err)
	}
	again = part(again, plan.Header.Only)
	a, err := again.Encode()
	if err != nil {
		return err
	}
	b, err := plan.Encode()
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("it is not what planning gives from this export, this policy and these servers (line %d of the "+
			"plan): it was edited, "+
			"or made by another version of this program", 1+bytes.Count(a[:differAt(a, b)], []byte{'\n'}))
	}
	return nil
}

// begunPlan compares a plan that was begun with what the run has kept of it.
func (s *Site) begunPlan(w *World, plan *schoolmail.Plan) error {
	kept, err := s.FindRun(plan.Header.ID)
	if err != nil {
		return err
	}
	steps := func(p *schoolmail.Plan) ([]byte, error) {
		return (&schoolmail.Plan{Header: p.Header, Steps: p.Steps}).Encode()
	}
	was, err := steps(kept)
	if err != nil {
		return err
	}
	is, err := steps(plan)
	if err != nil {
		return err
	}
	if !bytes.Equal(was, is) {
		return fmt.Errorf("it is not the plan that was begun on %s: it was edited since", w.Day)
	}
	return nil
}

// differAt returns the index of the first byte in which a and b differ.
func differAt(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
