package schoolmail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
)

// Plan is what [NewPlan] found to do: data that can be stored, read aloud,
// approved, compared and applied later. The same input gives the same bytes.
type Plan struct {
	Header   Header     `json:"header"`
	Steps    []Step     `json:"steps"`    // in the order in which they respect all promises
	Held     []Held     `json:"held"`     // steps that were found but must not be done now
	Findings []Finding  `json:"findings"` // what somebody should look at
	Forecast []Forecast `json:"forecast"` // how full each context gets
}

// PlanFormat is the number of the form in which this version writes plans.
const PlanFormat = 3

// Header says from what a plan was made. [Apply] callers refuse a plan whose
// fingerprints are no longer those of the world.
type Header struct {
	Format   int    `json:"format,omitempty"` // [PlanFormat]; absent: 1
	ID       string `json:"id"`               // fingerprint of the plan's content
	Now      Date   `json:"now"`              // the day it was made for
	Source   string `json:"source"`
	Delivery string `json:"delivery"` // fingerprint
	State    string `json:"state"`    // fingerprint of what was observed
	Policy   string `json:"policy"`   // fingerprint
	Records  int    `json:"records"`
	Rejected int    `json:"rejected"`
	Accounts int    `json:"accounts"`         // managed ones
	Undoes   string `json:"undoes,omitempty"` // id of the plan that this one takes back
	// Only is what the plan was limited to ([Plan.Only]), LeftOut how many steps were
	// left out for that.
	Only    *Selection `json:"only,omitempty"`
	LeftOut int        `json:"left_out,omitempty"`
}

// Step is one change to one person (or to the set of contexts).
type Step struct {
	ID          string    // stable: kind and subject, for example "transfer:escada/4711"
	Subject     string    // user name; for contexts the context's name
	Key         RecordKey // whose record; zero for contexts
	Role        Role
	School      SchoolID // the school that is counted and named for this step
	Reason      string   // for a person to understand
	Destructive bool     // data or access goes away
	After       []string // ids of steps that must be done before
	Action      Action   // what to do
}

// Kind returns the action's kind, for example "transfer".
func (s Step) Kind() Kind { return s.Action.Kind() }

// Accounts returns the account before and after the step; nil: there is none.
func (s Step) Accounts() (before, after *Account) { return s.Action.states() }

// Flow returns the contexts that the step leads a person from and to; 0 stands for
// outside. Both are 0 if the person stays where they are.
func (s Step) Flow() (from, to ContextID) {
	before, after := s.Action.states()
	if before != nil {
		from = before.Context
	}
	if after != nil {
		to = after.Context
	}
	if from == to {
		return 0, 0
	}
	return from, to
}

// Seats returns the context in which the step takes a further seat, and the one in
// which a seat is free once it is done; 0 for none.
func (s Step) Seats() (taken, freed ContextID) { return s.Action.takes(), s.Action.leaves() }

// Held is a step that was found but is not done, with the reason.
type Held struct {
	Step Step   `json:"step"`
	Why  string `json:"why"`
	// Guard names the limit that was broken; empty: another reason (no seat free, ...).
	Guard string `json:"guard,omitempty"`
}

// Finding is something that somebody should look at.
type Finding struct {
	Kind     string    `json:"kind"` // for example "rejected-row", "no-population", "unknown-ox-user"
	Text     string    `json:"text"`
	School   SchoolID  `json:"school,omitempty"`
	Key      RecordKey `json:"key,omitzero"`
	Position Position  `json:"position,omitzero"`
}

// Forecast tells how a context fills.
type Forecast struct {
	Context  ContextID `json:"context"`
	Name     string    `json:"name"`
	Capacity int       `json:"capacity"`
	Before   int       `json:"before"` // users now
	Peak     int       `json:"peak"`   // most at any time while the plan is applied
	After    int       `json:"after"`  // users when the plan is done
}

type stepJSON struct {
	ID          string          `json:"id"`
	Kind        Kind            `json:"kind"`
	Subject     string          `json:"subject"`
	Key         RecordKey       `json:"key,omitzero"`
	Role        Role            `json:"role,omitempty"`
	School      SchoolID        `json:"school,omitempty"`
	Reason      string          `json:"reason"`
	Destructive bool            `json:"destructive,omitempty"`
	After       []string        `json:"after,omitempty"`
	Action      json.RawMessage `json:"action"`
}

// MarshalJSON writes the step with its kind beside its action.
func (s Step) MarshalJSON() ([]byte, error) { return appendObject(nil, false, s.fields), nil }

// UnmarshalJSON reads what MarshalJSON wrote and refuses unknown kinds and fields.
func (s *Step) UnmarshalJSON(b []byte) error {
	var j stepJSON
	if err := strictJSON(b, &j); err != nil {
		return err
	}
	i := slices.IndexFunc(actions[:], func(a Action) bool { return a.Kind() == j.Kind })
	if i < 0 {
		return fmt.Errorf("schoolmail: step %q: unknown kind %q", j.ID, j.Kind)
	}
	v := reflect.New(reflect.TypeOf(actions[i]))
	if err := strictJSON(j.Action, v.Interface()); err != nil {
		return fmt.Errorf("schoolmail: step %q: %w", j.ID, err)
	}
	*s = Step{j.ID, j.Subject, j.Key, j.Role, j.School, j.Reason, j.Destructive, j.After, v.Elem().Interface().(Action)}
	return nil
}

func strictJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows after the end")
	}
	return nil
}

// Encode returns the plan's canonical JSON: every step, held step, finding and
// forecast on a line of its own, in a fixed order, ending in a newline.
func (p *Plan) Encode() ([]byte, error) {
	b := make([]byte, 0, 1024*(1+len(p.Steps)+len(p.Held)))
	p.write(false, func(item []byte) { b = append(b, item...) })
	return b, nil
}

// DecodePlan reads what [Plan.Encode] wrote. It refuses unknown fields and a
// plan whose content does not belong to its id. The id knows no names: whoever
// applies a plan that was kept where others can write plans again and compares.
func DecodePlan(b []byte) (*Plan, error) {
	var p Plan
	if err := strictJSON(b, &p); err != nil {
		return nil, fmt.Errorf("schoolmail: decode plan: %w", err)
	}
	if f := p.Header.Format; f != 0 && f != PlanFormat {
		return nil, fmt.Errorf("schoolmail: decode plan: format %d: expected %d; it was made by another version", f,
			PlanFormat)
	}
	if id := p.Fingerprint(); id != p.Header.ID {
		return nil, fmt.Errorf("schoolmail: decode plan: the content does not belong to id %s: "+
			"the plan was changed after it was made", p.Header.ID)
	}
	return &p, nil
}

// Fingerprint identifies the content of a plan; it is its id. What names a person
// is no part of it, nor are the sentences in which names may stand: an id tells
// nothing of anybody, and stays right when the names are taken out.
func (p *Plan) Fingerprint() string {
	q := *p
	q.Header.ID = ""
	if p.Header.Format == 0 { // as the first version wrote it
		return fingerprint(q)[:12]
	}
	h := sha256.New()
	q.write(true, func(item []byte) { h.Write(item) })
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// Count returns the number of steps of each kind.
func (p *Plan) Count() map[Kind]int {
	m := map[Kind]int{}
	for _, s := range p.Steps {
		m[s.Kind()]++
	}
	return m
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 }
