package site

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

// What is kept of runs and in the journal names people by the keys of their
// records. Their names stand beside it, in files that are outside the journal's chain
// and the plans' ids, so that who is purged can be taken out of them: one for the
// journal, one for the plan under way, and one in the folder of each run.

const namesFile = "names.json"

// knownAs has what names the people of a kept plan, or of the journal, by the keys
// of their records.
type knownAs map[string]*knownPerson

// knownPerson is what names one person.
type knownPerson struct {
	Username string            `json:"username"`
	Steps    []schoolmail.Step `json:"steps,omitempty"` // as they were planned
	Held     []schoolmail.Held `json:"held,omitempty"`
}

func (k knownAs) of(s *schoolmail.Step) *knownPerson {
	key := s.Key.String()
	if k[key] == nil {
		k[key] = &knownPerson{}
	}
	k[key].Username = s.Subject
	return k[key]
}

func readNames(file string) (knownAs, error) {
	k := knownAs{}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &k)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return k, nil
}

func (k knownAs) write(file string) error {
	return atomicfile.Write(file, atomicfile.Private, func(w io.Writer) error { return json.NewEncoder(w).Encode(k) })
}

// keepPlan writes a plan with its names beside it. The names come first: a plan
// that is there has them.
func keepPlan(file, names string, p *schoolmail.Plan, r *register) error {
	k := knownAs{}
	for _, s := range p.Steps {
		if !s.Key.IsZero() {
			q := k.of(&s)
			q.Steps = append(q.Steps, s)
		}
	}
	for _, h := range p.Held {
		if !h.Step.Key.IsZero() {
			q := k.of(&h.Step)
			q.Held = append(q.Held, h)
		}
	}
	bare, err := p.WithoutNames(r.sentence)
	if err != nil {
		return err
	}
	return errors.Join(k.write(names), WritePlan(file, bare))
}

// readKept reads a plan that keepPlan has written and gives its people their names
// back, as far as they are known. One without names beside it is returned as it is.
func readKept(file, names string) (*schoolmail.Plan, error) {
	p, err := ReadPlan(file)
	if err != nil {
		return nil, err
	}
	k, err := readNames(names)
	if err != nil {
		return nil, err
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		if q := k[s.Key.String()]; q != nil && s.Nameless() {
			for _, named := range q.Steps {
				if named.ID == s.ID {
					*s = named
				}
			}
		}
	}
	for i := range p.Held {
		h := &p.Held[i]
		if q := k[h.Step.Key.String()]; q != nil && h.Step.Nameless() {
			for _, named := range q.Held {
				if named.Step.ID == h.Step.ID {
					*h = named
				}
			}
		}
	}
	if p.Fingerprint() != p.Header.ID {
		return nil, fmt.Errorf("%s: what it says does not belong to the plan in %s: it was changed", names, file)
	}
	return p, nil
}

// nameless reports whether somebody in a plan has no name any more.
func nameless(p *schoolmail.Plan) bool {
	for i := range p.Steps {
		if p.Steps[i].Nameless() {
			return true
		}
	}
	return false
}

// journalNames keeps the user names of the people in the journal outside of it. They
// are read when somebody is named for the first time: on a night without changes nobody
// is.
type journalNames struct {
	file string

	mu       sync.Mutex
	known    knownAs           // nil: not read yet
	keys     map[string]string // by user name
	sentence func(string) string
}

func openJournalNames(stateDir string) *journalNames {
	return &journalNames{file: filepath.Join(stateDir, namesFile)}
}

// read reads the file, once. The lock is held.
func (n *journalNames) read() error {
	if n.known != nil {
		return nil
	}
	known, err := readNames(n.file)
	if err != nil {
		return fmt.Errorf("names of the people in the journal: %w", err)
	}
	if known == nil { // "null"
		known = knownAs{}
	}
	n.known, n.keys = known, make(map[string]string, len(known))
	for key, p := range known {
		n.keys[p.Username] = key
	}
	return nil
}

// learn remembers who the people of a plan are, before anything about them is
// written into the journal.
func (n *journalNames) learn(p *schoolmail.Plan, r *register) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sentence = r.sentence
	if len(p.Steps) == 0 {
		return nil
	}
	if err := n.read(); err != nil {
		return err
	}
	changed := false
	for _, s := range p.Steps {
		key := s.Key.String()
		if !s.Key.IsZero() && !s.Nameless() && (n.known[key] == nil || n.known[key].Username != s.Subject) {
			n.known[key] = &knownPerson{Username: s.Subject}
			n.keys[s.Subject], changed = key, true
		}
	}
	if !changed {
		return nil
	}
	return n.known.write(n.file)
}

// forget takes people out.
func (n *journalNames) forget(keys map[string]string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.read(); err != nil {
		return err
	}
	changed := false
	for key := range keys {
		if p := n.known[key]; p != nil {
			delete(n.known, key)
			delete(n.keys, p.Username)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return n.known.write(n.file)
}

// Hide names an entry's subject by the key of its record.
func (n *journalNames) Hide(e *schoolmail.JournalEntry) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.Subject != "" {
		if err := n.read(); err != nil {
			return err
		}
		if key := n.keys[e.Subject]; key != "" {
			e.Subject = key
		}
	}
	if n.sentence != nil && e.Error != "" {
		e.Error = n.sentence(e.Error)
	}
	return nil
}

// Show gives an entry's subject its user name back.
func (n *journalNames) Show(e *schoolmail.JournalEntry) error {
	if !strings.Contains(e.Subject, "/") { // a user name, of before there were files of names
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.read(); err != nil {
		return err
	}
	if p := n.known[e.Subject]; p != nil {
		e.Subject = p.Username
	}
	return nil
}
