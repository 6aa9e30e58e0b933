package schoolmail

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
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
const PlanFormat = 2

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

// Kind names a sort of action.
type Kind string

// The kinds, in the order in which a plan lists them.
const (
	KindCreateContext Kind = "create-context"
	KindCancelNotice  Kind = "cancel-notice"
	KindReactivate    Kind = "reactivate"
	KindChange        Kind = "change"
	KindRepair        Kind = "repair"
	KindPurge         Kind = "purge"
	KindDropCopy      Kind = "drop-copy"
	KindTransfer      Kind = "transfer"
	KindCreate        Kind = "create"
	KindNotice        Kind = "notice"
	KindDeactivate    Kind = "deactivate"
)

// Kinds lists all kinds in the order of a plan's summary.
var Kinds = []Kind{KindCreateContext, KindCreate, KindChange, KindTransfer, KindDropCopy, KindNotice,
	KindCancelNotice, KindDeactivate, KindReactivate, KindRepair, KindPurge}

// Action is one of the structs below; the set is closed.
type Action interface {
	Kind() Kind
	action()
}

// CreateContext makes an OX context that the policy declares.
type CreateContext struct {
	Spec ContextSpec `json:"spec"`
}

// CreateAccount makes the directory account (pending), the place in OX, the
// mailbox, and then sets the account active. Resume: an earlier run was
// interrupted and the account exists as pending.
type CreateAccount struct {
	Account    Account `json:"account"`
	Access     string  `json:"access"`
	Resume     bool    `json:"resume,omitempty"`
	SeatExists bool    `json:"seat_exists,omitempty"` // the interrupted run made the user in OX already
}

// ChangeAccount brings names, memberships and contact data up to date in the
// directory and in OX.
type ChangeAccount struct {
	Before Account  `json:"before"`
	After  Account  `json:"after"`
	Fields []string `json:"fields"` // what differs
	Access string   `json:"access"`
}

// RepairPlace makes the user in OX (or its data there) as the directory says,
// because it is missing or differs. With Restore the missing user is copied back
// from the old copy that Account.Previous names; that copy is then kept for
// another grace from the day in Account.Previous.Since.
type RepairPlace struct {
	Account Account `json:"account"`
	Access  string  `json:"access"`
	Missing bool    `json:"missing"` // the user does not exist in its context
	Restore bool    `json:"restore,omitempty"`
}

// TransferContext moves a person with all data into another context. After has
// the new context and remembers the old copy in Previous.
type TransferContext struct {
	Before     Account `json:"before"`
	After      Account `json:"after"`
	Access     string  `json:"access"`
	KeepCopy   bool    `json:"keep_copy"`             // the old copy stays for the grace
	OldCopy    UserID  `json:"old_copy"`              // OX id in the old context
	SeatExists bool    `json:"seat_exists,omitempty"` // an interrupted run left its copy in the target already
}

// DropCopy removes the old copy of a transfer after its grace, as long as the
// user stands in the context where the person lives.
type DropCopy struct {
	Before Account `json:"before"`
	After  Account `json:"after"`
	// WithAccount: the deactivated account is purged by a later step of the plan,
	// and no copy outlives it, even if it is the last one.
	WithAccount bool `json:"with_account,omitempty"`
	// Leftover, if not nil, is what is removed instead: the copy of a transfer that
	// was cut off and is not wanted any more.
	Leftover *Leftover `json:"leftover,omitempty"`
}

// SendNotice tells a leaver when the mailbox will be deactivated, and records it.
type SendNotice struct {
	Before Account `json:"before"`
	After  Account `json:"after"`
	Due    Date    `json:"due"` // first possible day of the deactivation
}

// CancelNotice takes a leaver's notice back.
type CancelNotice struct {
	Before Account `json:"before"`
	After  Account `json:"after"`
}

// Deactivate closes account and mailbox; all data stays.
type Deactivate struct {
	Before Account `json:"before"`
	After  Account `json:"after"`
}

// Reactivate opens a deactivated account again.
type Reactivate struct {
	Before Account `json:"before"`
	After  Account `json:"after"`
	Access string  `json:"access"`
}

// Purge removes account, OX user and mail for ever and reserves the names.
type Purge struct {
	Account Account `json:"account"`
	UserID  UserID  `json:"user_id"` // OX id; 0: no user found
}

// Kind implements Action.
func (CreateContext) Kind() Kind { return KindCreateContext }

// Kind implements Action.
func (CreateAccount) Kind() Kind { return KindCreate }

// Kind implements Action.
func (ChangeAccount) Kind() Kind { return KindChange }

// Kind implements Action.
func (RepairPlace) Kind() Kind { return KindRepair }

// Kind implements Action.
func (TransferContext) Kind() Kind { return KindTransfer }

// Kind implements Action.
func (DropCopy) Kind() Kind { return KindDropCopy }

// Kind implements Action.
func (SendNotice) Kind() Kind { return KindNotice }

// Kind implements Action.
func (CancelNotice) Kind() Kind { return KindCancelNotice }

// Kind implements Action.
func (Deactivate) Kind() Kind { return KindDeactivate }

// Kind implements Action.
func (Reactivate) Kind() Kind { return KindReactivate }

// Kind implements Action.
func (Purge) Kind() Kind { return KindPurge }

func (CreateContext) action()   {}
func (CreateAccount) action()   {}
func (ChangeAccount) action()   {}
func (RepairPlace) action()     {}
func (TransferContext) action() {}
func (DropCopy) action()        {}
func (SendNotice) action()      {}
func (CancelNotice) action()    {}
func (Deactivate) action()      {}
func (Reactivate) action()      {}
func (Purge) action()           {}

// actions maps a kind to its zero action, for decoding.
var actions = map[Kind]Action{
	KindCreateContext: CreateContext{}, KindCreate: CreateAccount{}, KindChange: ChangeAccount{}, KindRepair: RepairPlace{},
	KindTransfer: TransferContext{}, KindDropCopy: DropCopy{}, KindNotice: SendNotice{}, KindCancelNotice: CancelNotice{},
	KindDeactivate: Deactivate{}, KindReactivate: Reactivate{}, KindPurge: Purge{},
}

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
func (s Step) MarshalJSON() ([]byte, error) {
	a, err := json.Marshal(s.Action)
	if err != nil {
		return nil, err
	}
	return json.Marshal(stepJSON{s.ID, s.Kind(), s.Subject, s.Key, s.Role, s.School, s.Reason, s.Destructive, s.After, a})
}

// UnmarshalJSON reads what MarshalJSON wrote and refuses unknown kinds and fields.
func (s *Step) UnmarshalJSON(b []byte) error {
	var j stepJSON
	if err := strictJSON(b, &j); err != nil {
		return err
	}
	zero, ok := actions[j.Kind]
	if !ok {
		return fmt.Errorf("schoolmail: step %q: unknown kind %q", j.ID, j.Kind)
	}
	v := reflect.New(reflect.TypeOf(zero))
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

// Encode returns the plan's canonical JSON: indented, in a fixed order, ending
// in a newline.
func (p *Plan) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return nil, fmt.Errorf("schoolmail: encode plan: %w", err)
	}
	return append(b, '\n'), nil
}

// DecodePlan reads what [Plan.Encode] wrote. It refuses unknown fields and a
// plan whose content does not belong to its id, so that nobody applies an
// edited plan unawares.
func DecodePlan(b []byte) (*Plan, error) {
	var p Plan
	if err := strictJSON(b, &p); err != nil {
		return nil, fmt.Errorf("schoolmail: decode plan: %w", err)
	}
	if f := p.Header.Format; f != 0 && f != PlanFormat {
		return nil, fmt.Errorf("schoolmail: decode plan: format %d: expected %d; it was made by another version", f, PlanFormat)
	}
	if id := p.fingerprint(); id != p.Header.ID {
		return nil, fmt.Errorf("schoolmail: decode plan: the content does not belong to id %s: the plan was changed after it was made", p.Header.ID)
	}
	return &p, nil
}

func (p *Plan) fingerprint() string {
	q := *p
	q.Header.ID = ""
	return Fingerprint(q)[:12]
}

// Fingerprint returns the hexadecimal SHA-256 of v's JSON. Maps are written in
// the order of their keys, so equal values have equal fingerprints.
func Fingerprint(v any) string {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(v); err != nil {
		panic("schoolmail: fingerprint: " + err.Error()) // only plain data reaches this
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Fingerprint identifies an observed state whatever the order in which the
// servers listed things.
func (st State) Fingerprint() string { return Fingerprint(st.sorted()) }

func (st State) sorted() State {
	st.Accounts = slices.Clone(st.Accounts)
	slices.SortFunc(st.Accounts, func(a, b Account) int {
		return cmp.Or(strings.Compare(a.Username, b.Username), strings.Compare(a.DN, b.DN), a.Key.Compare(b.Key))
	})
	for i := range st.Accounts {
		a := &st.Accounts[i]
		a.Aliases = slices.Sorted(slices.Values(a.Aliases))
	}
	st.Contexts = slices.Clone(st.Contexts)
	slices.SortFunc(st.Contexts, func(a, b Context) int { return cmp.Compare(a.ID, b.ID) })
	st.Places = slices.Clone(st.Places)
	slices.SortFunc(st.Places, func(a, b Place) int {
		if a.Context != b.Context {
			return int(a.Context) - int(b.Context)
		}
		return cmp.Compare(a.UserID, b.UserID)
	})
	st.Retired = slices.Clone(st.Retired)
	st.Leftovers = slices.Clone(st.Leftovers)
	slices.SortFunc(st.Leftovers, func(a, b Leftover) int {
		return cmp.Or(strings.Compare(a.Username, b.Username), cmp.Compare(a.Context, b.Context))
	})
	slices.SortFunc(st.Retired, func(a, b RetiredName) int { return strings.Compare(a.Name, b.Name) })
	return st
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
