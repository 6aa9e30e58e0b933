package site

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

// Deletion is the proof that a person was purged and is not named any more in what
// this site keeps. It does not name them either.
type Deletion struct {
	Record    string          `json:"record"` // its key, "source/id"
	Day       schoolmail.Date `json:"day"`
	Time      time.Time       `json:"time"`
	Runs      int             `json:"runs"`      // whose names the person was taken out of
	Passwords int             `json:"passwords"` // lines of password lists
}

// deletionsFile has a line for each deletion.
const deletionsFile = "deletions.jsonl"

// forget takes people who were purged out of all that is kept, by the keys of their
// records with the user names they had, and leaves the proof. It can be repeated.
func (s *Site) forget(day schoolmail.Date, gone map[string]string) error {
	if len(gone) == 0 || s.names == nil {
		return nil
	}
	if err := s.forgetNames(day, gone); err != nil {
		return fmt.Errorf("names of people who were purged: the next run takes them out: %w", err)
	}
	var entries []schoolmail.JournalEntry
	for _, key := range slices.Sorted(maps.Keys(gone)) {
		e := schoolmail.Forgotten(key)
		e.Time = time.Now()
		entries = append(entries, e)
	}
	return s.parts.Journal.Append(entries...)
}

func (s *Site) forgetNames(day schoolmail.Date, gone map[string]string) error {
	proofs := map[string]*Deletion{}
	r := newRegister()
	for key, name := range gone {
		proofs[key] = &Deletion{Record: key, Day: day, Time: time.Now().UTC().Truncate(time.Second)}
		if name != "" && name != key {
			r.words[name] = key
		}
	}
	files, err := s.namesFiles()
	if err != nil {
		return err
	}
	for _, f := range files {
		// First the other words under which the person is known, which may stand in
		// what is kept of somebody else.
		if err := r.learn(f, gone); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := forgetIn(f, proofs, r); err != nil {
			return err
		}
	}
	if err := s.forgetPasswords(gone, proofs); err != nil {
		return err
	}
	if err := s.names.forget(gone); err != nil {
		return err
	}
	return s.prove(proofs)
}

// namesFiles are those of the runs and of the plan under way.
func (s *Site) namesFiles() ([]string, error) {
	runs, err := os.ReadDir(s.RunsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files := []string{s.planNames()}
	for _, d := range runs {
		files = append(files, filepath.Join(s.RunsDir(), d.Name(), namesFile))
	}
	return files, nil
}

// learn adds all words under which a file knows people.
func (r *register) learn(file string, people map[string]string) error {
	k, err := readNames(file)
	if err != nil {
		return err
	}
	for key := range people {
		if p := k[key]; p != nil {
			r.plan(&schoolmail.Plan{Steps: p.Steps, Held: p.Held})
		}
	}
	return nil
}

// forgetIn takes people out of a file of names.
func forgetIn(file string, gone map[string]*Deletion, r *register) error {
	k, err := readNames(file)
	if err != nil {
		return err
	}
	changed := false
	for key, proof := range gone {
		if k[key] != nil {
			delete(k, key)
			proof.Runs++
			changed = true
		}
	}
	for _, p := range k {
		changed = p.through(r.sentence) || changed
	}
	if !changed {
		return nil
	}
	return k.write(file)
}

// through puts what is said about a person through f, and reports whether it
// changed.
func (p *knownPerson) through(f func(string) string) bool {
	changed := false
	put := func(s *string) {
		if t := f(*s); t != *s {
			*s, changed = t, true
		}
	}
	for i := range p.Steps {
		put(&p.Steps[i].Reason)
	}
	for i := range p.Held {
		put(&p.Held[i].Why)
		put(&p.Held[i].Step.Reason)
	}
	return changed
}

// forgetPasswords takes people out of the lists for the schools and of what is
// prepared.
func (s *Site) forgetPasswords(gone map[string]string, proofs map[string]*Deletion) error {
	keys := map[string]string{}
	for key, name := range gone {
		if name != key {
			keys[name] = key
		}
	}
	var pw *passwords
	var err error
	for _, file := range []string{newPasswords, firstPasswords} {
		if pw, err = s.openPasswords(file); err != nil {
			return err
		}
		before := len(pw.prepared)
		maps.DeleteFunc(pw.prepared, func(name string, _ preparedPassword) bool { return keys[name] != "" })
		if len(pw.prepared) != before {
			if err := pw.save(); err != nil {
				return err
			}
		}
	}
	return pw.without(func(name string) bool {
		key := keys[name]
		if key != "" {
			proofs[key].Passwords++
		}
		return key != ""
	})
}

// prove appends the proofs.
func (s *Site) prove(proofs map[string]*Deletion) error {
	file := filepath.Join(s.stateDir, deletionsFile)
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out := bytes.NewBuffer(old)
	for _, key := range slices.Sorted(maps.Keys(proofs)) {
		b, err := json.Marshal(proofs[key])
		if err != nil {
			return err
		}
		out.Write(append(b, '\n'))
	}
	return atomicfile.WriteBytes(file, atomicfile.Private, out.Bytes())
}

// Deletions returns the proofs that this site keeps of people who were purged.
func (s *Site) Deletions() ([]Deletion, error) {
	f, err := os.Open(filepath.Join(s.stateDir, deletionsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []Deletion
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var d Deletion
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		list = append(list, d)
	}
	return list, lines.Err()
}

// expire deletes the folders of runs that are older than the site keeps them. Only
// what this program names so is touched.
func (s *Site) expire(day schoolmail.Date) error {
	if s.retention <= 0 {
		return nil
	}
	runs, err := os.ReadDir(s.RunsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range runs {
		const form = "2006-01-02"
		if !d.IsDir() || len(d.Name()) <= len(form) {
			continue
		}
		if ran, err := schoolmail.ParseDate(d.Name()[:len(form)]); err != nil || day.Sub(ran) <= s.retention {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.RunsDir(), d.Name())); err != nil {
			return fmt.Errorf("kept runs: %w", err)
		}
	}
	return nil
}
