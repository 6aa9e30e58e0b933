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
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

// Holds are kept in a file of the state folder, by record id and without names. Each
// run takes them into its policy: plans, their fingerprints and reports show them.
// The journal says who has put somebody on hold, or released them, and when.

func (s *Site) holdsFile() string { return filepath.Join(s.stateDir, "holds.json") }

func readHolds(file string) (list []schoolmail.Hold, err error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

// takeHolds adds the kept holds to the policy.
func (s *Site) takeHolds() error {
	list, err := readHolds(s.holdsFile())
	s.policy.Holds = append(slices.Clone(s.policy.Holds), list...)
	return err
}

// Hold puts a person, given as for [Site.Explain], on hold until a day: nothing is
// done about them. An earlier hold of the same person gives way. The id of the hold
// is filled in; it returns what it has put down.
func (s *Site) Hold(ctx context.Context, day schoolmail.Date, who string, h schoolmail.Hold) (schoolmail.Hold, error) {
	switch {
	case h.Reason == "" || h.By == "":
		return h, &InputError{errors.New("a hold needs a reason, and somebody who decided it")}
	case h.Until < day:
		return h, &InputError{fmt.Errorf("a hold until %s: expected a day from %s on", h.Until, day)}
	}
	key, err := s.whose(ctx, day, who)
	if err != nil {
		return h, err
	}
	h.ID, h.Since = key.ID, day
	return h, s.changeHolds("hold", key, h.By+", until "+h.Until.String(), func(list []schoolmail.Hold) []schoolmail.Hold {
		return append(without(list, key), h)
	})
}

// Release ends the hold of a person, given as for [Site.Explain] or by the id of a
// record that nobody knows any more. That nobody of this name is on hold is an error.
func (s *Site) Release(ctx context.Context, day schoolmail.Date, who, by string) (schoolmail.RecordKey, error) {
	list, err := readHolds(s.holdsFile())
	if err != nil {
		return schoolmail.RecordKey{}, err
	}
	key := schoolmail.RecordKey{Source: s.policy.Source, ID: who}
	held := func() bool {
		return slices.ContainsFunc(list, func(h schoolmail.Hold) bool { return h.ID == key.ID })
	}
	if !held() {
		if key, err = s.whose(ctx, day, who); err != nil {
			return key, err
		}
	}
	if !held() {
		return key, &InputError{fmt.Errorf("%q is not on hold", who)}
	}
	return key, s.changeHolds("release", key, by, func(list []schoolmail.Hold) []schoolmail.Hold {
		return without(list, key)
	})
}

func without(list []schoolmail.Hold, key schoolmail.RecordKey) []schoolmail.Hold {
	return slices.DeleteFunc(list, func(h schoolmail.Hold) bool { return h.ID == key.ID })
}

// whose finds the record of a person.
func (s *Site) whose(ctx context.Context, day schoolmail.Date, who string) (schoolmail.RecordKey, error) {
	w, err := s.Look(ctx, day)
	if err != nil {
		return schoolmail.RecordKey{}, err
	}
	var e Explanation
	if err := e.find(w, who); err != nil {
		return schoolmail.RecordKey{}, &InputError{fmt.Errorf("%q: %w", who, err)}
	}
	key := e.key()
	if key.Source != s.policy.Source || key.ID == "" {
		return key, &InputError{fmt.Errorf("%q is not managed here: nothing is ever done about them", who)}
	}
	return key, nil
}

// changeHolds changes the kept holds; the journal is told first, so that no hold is
// without a trace.
func (s *Site) changeHolds(effect string, key schoolmail.RecordKey, by string,
	change func([]schoolmail.Hold) []schoolmail.Hold) error {
	list, err := readHolds(s.holdsFile())
	if err != nil {
		return err
	}
	err = s.parts.Journal.Append(schoolmail.JournalEntry{Time: time.Now(), Step: effect + ":" + key.String(),
		Effect: effect, Phase: schoolmail.Done, Subject: key.String(), By: by})
	if err != nil {
		return fmt.Errorf("nothing was done: %w", err)
	}
	return atomicfile.Write(s.holdsFile(), atomicfile.Private, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(change(list))
	})
}
