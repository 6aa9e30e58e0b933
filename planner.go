package schoolmail

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// NewPlan compares what was delivered with what was observed and returns what
// to do about it on the day now. It is a pure function: no clock, no network,
// and the order of rows, accounts or places makes no difference.
//
// An error means that nothing sensible can be planned: an invalid policy, or a
// delivery of another source. Everything that concerns single people or
// schools is in the plan instead: as steps, held-back steps and findings.
func NewPlan(policy Policy, state State, delivery Delivery, now Date) (*Plan, error) {
	policy = policy.WithDefaults()
	if err := policy.Validate(); err != nil {
		return nil, fmt.Errorf("schoolmail: plan: %w", err)
	}
	if now.IsZero() {
		return nil, errors.New("schoolmail: plan: no day given")
	}
	if delivery.Source != policy.Source {
		return nil, fmt.Errorf("schoolmail: plan: the delivery is from source %q, the policy manages %q", delivery.Source, policy.Source)
	}
	if delivery.Kind != DeliveryFull && delivery.Kind != DeliveryDelta {
		return nil, fmt.Errorf("schoolmail: plan: delivery kind %q: expected full or delta", delivery.Kind)
	}
	state = state.sorted()
	b := &builder{policy: &policy, state: &state, delivery: &delivery, now: now}
	seen := Fingerprint(state)
	b.index()
	b.identify()
	b.people()
	b.place()
	b.order()
	slices.SortStableFunc(b.plan.Findings, func(x, y Finding) int {
		return strings.Compare(x.Kind+"\x00"+x.Text, y.Kind+"\x00"+y.Text)
	})
	slices.SortStableFunc(b.plan.Held, func(x, y Held) int { return strings.Compare(x.Step.ID, y.Step.ID) })
	b.plan.Header = Header{
		Format: PlanFormat, Now: now, Source: policy.Source, Delivery: delivery.Fingerprint, State: seen, Policy: Fingerprint(policy),
		Records: len(delivery.Records), Rejected: len(delivery.Rejected), Accounts: b.managed,
	}
	b.plan.Header.ID = b.plan.fingerprint()
	return &b.plan, nil
}

// builder gathers a plan.
type builder struct {
	policy   *Policy
	state    *State
	delivery *Delivery
	now      Date
	plan     Plan

	managed  int                    // accounts of our source that are not on hold
	accounts map[RecordKey]*Account // ours
	places   map[string][]*Place    // by user name
	records  map[RecordKey]*Record  // usable ones
	shielded map[RecordKey]string   // keys whose absence must not count, with the reason
	schools  map[SchoolID]string    // schools whose absences must not count, with the reason
	absence  string                 // why absence does not count at all; empty: it counts
	early    early                  // newcomers of other days
	lost     string                 // why any record may lack a row
	lostAt   map[SchoolID]bool      // schools that have an unreadable row without a key
	doubts   map[RecordKey]string   // why it is not certain who stands behind a key
	names    *names
	display  map[string]string // folded display name -> user name that has it

	steps    []Step            // steps that take no seat, in no order
	frees    []Step            // purges and dropped copies: they free a seat
	seekers  []seeker          // people who need a seat
	limited  map[string][]Step // steps that guards look at, by guard
	seatless []Step            // transfers for which there is no seat

	droppable map[RecordKey]bool // whose old copy the guard lets go today
}

// seeker is somebody for whom a context is to be found.
type seeker struct {
	placing
	acc     Account // as wanted, context still open
	before  *Account
	place   *Place    // where the user really is; nil: nowhere
	pin     ContextID // context that is decided already
	home    SchoolID  // school under which guards count the person
	access  string
	reason  string
	resume  bool
	restore bool     // from the old copy
	fields  []string // other changes that go with it when there is no copy to make
	step    []Step   // steps of the same person that come first
	with    []Step   // steps that are done just before the transfer, or not at all
}

func (b *builder) find(kind, format string, a ...any) *Finding {
	b.plan.Findings = append(b.plan.Findings, Finding{Kind: kind, Text: fmt.Sprintf(format, a...)})
	return &b.plan.Findings[len(b.plan.Findings)-1]
}

func (b *builder) hold(s Step, guard, why string) {
	b.plan.Held = append(b.plan.Held, Held{Step: s, Why: why, Guard: guard})
}

// index looks at everything once and finds what is ambiguous.
func (b *builder) index() {
	b.names = newNames(b.state)
	b.limited = map[string][]Step{}
	b.places = map[string][]*Place{}
	for i := range b.state.Places {
		p := &b.state.Places[i]
		b.places[p.Username] = append(b.places[p.Username], p)
	}
	b.accounts = map[RecordKey]*Account{}
	b.display = map[string]string{}
	byUsername := map[string]*Account{}
	folded := map[string]RecordKey{}
	twice := map[RecordKey]bool{}
	for i := range b.state.Accounts {
		a := &b.state.Accounts[i]
		byUsername[a.Username] = a
		if a.DisplayName != "" {
			b.display[foldName(a.DisplayName)] = a.Username
		}
		if a.Key.Source != b.policy.Source || a.Key.ID == "" {
			continue
		}
		if o, dup := b.accounts[a.Key]; dup {
			twice[a.Key] = true
			b.find("double-account", "accounts %s and %s have the same record: both are left alone", o.Username, a.Username).Key = a.Key
		}
		b.accounts[a.Key] = a
	}
	for k := range twice {
		delete(b.accounts, k)
	}
	for _, a := range b.accounts {
		if !a.Held {
			b.managed++
		}
	}
	otherCase := make(map[string]RecordKey, len(b.accounts))
	for k := range b.accounts {
		otherCase[strings.ToLower(k.ID)] = k
	}
	b.strangers(byUsername)
	for i := range b.state.Places {
		if p := &b.state.Places[i]; p.DisplayName != "" && b.display[foldName(p.DisplayName)] == "" {
			b.display[foldName(p.DisplayName)] = p.Username
		}
	}

	b.records = make(map[RecordKey]*Record, len(b.delivery.Records))
	b.shielded = map[RecordKey]string{}
	b.schools, b.lostAt = map[SchoolID]string{}, map[SchoolID]bool{}
	for k := range twice {
		b.shielded[k] = "two accounts have this record"
	}
	records := slices.Clone(b.delivery.Records)
	slices.SortStableFunc(records, func(x, y Record) int { return x.Key.Compare(y.Key) })
	for i := range records {
		r := &records[i]
		if r.Key.Source != b.policy.Source {
			b.find("foreign-record", "a record of source %q in a delivery of %q is ignored", r.Key.Source, b.policy.Source)
			continue
		}
		if !r.Role.Valid() || cleanName(r.GivenName+r.FamilyName) == "" {
			b.shielded[r.Key] = "the record has no usable role or name"
			b.find("unusable-record", "record %s has no usable role or name: the person is left alone", r.Key.ID).Key = r.Key
			continue
		}
		// Directories match record ids without regard to case.
		f := strings.ToLower(r.Key.ID)
		if o, dup := folded[f]; dup {
			b.shielded[r.Key], b.shielded[o] = "double record id", "double record id"
			delete(b.records, o)
			b.find("double-record", "records %s and %s differ at most in upper and lower case: both are left alone", o.ID, r.Key.ID).Key = r.Key
			continue
		}
		folded[f] = r.Key
		if k, ok := otherCase[f]; ok && k != r.Key {
			b.shielded[r.Key], b.shielded[k] = "the record id has changed its case", "the record id has changed its case"
			b.find("record-case", "record %s is account %s in another case: both are left alone", r.Key.ID, b.accounts[k].Username).Key = r.Key
			continue
		}
		if !twice[r.Key] {
			b.records[r.Key] = r
		}
	}
	b.rejections()
	b.follow()
	b.collapse()
	switch {
	case b.delivery.Kind == DeliveryDelta:
		b.absence = "the delivery lists only changes"
	case b.delivery.Incomplete != "":
		b.absence = "the delivery is incomplete: " + b.delivery.Incomplete
		b.lost = b.absence
		b.find("incomplete-delivery", "%s; nobody who is missing is treated as gone", b.delivery.Incomplete)
	}
}

// strangers reports users in OX that the directory does not explain.
func (b *builder) strangers(byUsername map[string]*Account) {
	unknown := map[ContextID]int{}
	for _, ps := range b.places {
		for _, p := range ps {
			a := byUsername[p.Username]
			switch {
			case p.Admin:
			case a == nil:
				unknown[p.Context]++
			case a.Key.Source == b.policy.Source && a.Context != p.Context && a.Previous.Context != p.Context && a.State != Pending &&
				!slices.ContainsFunc(b.state.Leftovers, func(l Leftover) bool {
					return l.Username == p.Username && l.Context == p.Context && b.isLeftover(a, l)
				}):
				b.find("second-copy", "%s lives in context %d but context %d has a user of this name too; it is not touched", p.Username, a.Context, p.Context)
			}
		}
	}
	if len(unknown) > 0 {
		all := 0
		var parts []string
		for _, c := range sortedIDs(unknown) {
			all += unknown[c]
			parts = append(parts, fmt.Sprintf("%d in context %d", unknown[c], c))
		}
		b.find("unknown-users", "OX has %d users that are not in the directory (%s); they are not touched", all, strings.Join(parts, ", "))
	}
}

// rejections turns unreadable rows into shields.
func (b *builder) rejections() {
	for _, r := range b.delivery.Rejected {
		f := b.find("rejected-row", "%s: %s", r.Position, r.Reason)
		f.School, f.Key, f.Position = r.School, r.Key, r.Position
		switch {
		case r.Harmless:
		case r.Key.ID != "":
			b.shielded[r.Key] = "an unreadable row is about this person"
			// What could be read of the other rows may be half of the truth.
			delete(b.records, r.Key)
		case r.School != "":
			b.lostAt[r.School] = true
			b.schools[r.School] = "an unreadable row of the school may be about the person"
		default:
			b.lost = "a row that could not be read may be about the person"
			b.absence = "a row that could not be read may be about anybody"
		}
	}
	if b.absence != "" {
		b.find("absence-suspended", "%s: nobody who is missing is treated as gone", b.absence)
	}
}

// collapse finds schools that delivered far fewer people than they have.
func (b *builder) collapse() {
	if b.delivery.Kind != DeliveryFull {
		return
	}
	// Counted for each role and, with no role, for the school as a whole: a
	// missing file of teachers must not hide among the pupils. Whichever it is,
	// the whole school counts as not delivered: of an export that lost half of
	// the pupils nobody knows what it lost of the teachers.
	sent, missing := map[headcount]int{}, map[headcount]int{}
	delivered := make(map[RecordKey]bool, len(b.delivery.Records))
	for i := range b.delivery.Records {
		r := &b.delivery.Records[i]
		delivered[r.Key] = true
		for _, m := range r.Memberships {
			if m.Until.IsZero() || b.now <= m.Until {
				sent[headcount{school: m.School}]++
				sent[headcount{m.School, r.Role}]++
			}
		}
	}
	// People who are delivered by another school have moved and count for
	// neither side: so the verdict stays the same once the plan is applied.
	for _, a := range b.accounts {
		if !delivered[a.Key] && (a.State == Active || a.State == Leaving) {
			for _, m := range a.Memberships {
				missing[headcount{school: m.School}]++
				missing[headcount{m.School, a.Role}]++
			}
		}
	}
	heads := make([]headcount, 0, len(missing))
	for h := range missing {
		heads = append(heads, h)
	}
	slices.SortFunc(heads, func(x, y headcount) int {
		return cmp.Or(strings.Compare(string(x.school), string(y.school)), strings.Compare(string(x.role), string(y.role)))
	})
	for _, h := range heads {
		n, all := sent[h], sent[h]+missing[h]
		if missing[h] < 4 || n*100 >= all*b.policy.Guards.CollapsePercent || b.schools[h.school] != "" {
			continue
		}
		who := h.role.people()
		if by := b.override("collapse", h.school); by != "" {
			b.find("override", "school %s delivers %d of %d %s; accepted by %s", h.school, n, all, who, by)
			continue
		}
		b.schools[h.school] = fmt.Sprintf("school %s delivered %d of %d %s: it counts as not delivered", h.school, n, all, who)
		b.find("school-not-delivered", "school %s delivered %d of %d %s: nobody missing there is treated as gone", h.school, n, all, who).School = h.school
	}
}

// shield returns why the absence of an account does not count, or "".
func (b *builder) shield(a *Account) string {
	if b.absence != "" {
		return b.absence
	}
	if why := b.shielded[a.Key]; why != "" {
		return why
	}
	for _, m := range a.Memberships {
		if why := b.schools[m.School]; why != "" {
			return why
		}
	}
	return ""
}
