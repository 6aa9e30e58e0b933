package schoolmail

import "fmt"

// Hold says that nothing is done about a person for a while: nothing is made, changed
// or taken away, whatever is delivered. What would be done is held, with the reason.
type Hold struct {
	ID     string `json:"id"` // of the person's record, in the policy's source
	Since  Date   `json:"since,omitzero"`
	Until  Date   `json:"until"` // the last day
	By     string `json:"by"`    // who decided it
	Reason string `json:"reason"`
}

// guardHold is the guard under which everything waits that is about somebody on hold.
// No override lifts it: a hold is released, or ends.
const guardHold = "hold"

func (p *Policy) checkHolds(bad func(format string, a ...any)) {
	for i, h := range p.Holds {
		if h.ID == "" || h.Until.IsZero() || h.By == "" || h.Reason == "" {
			bad("hold number %d: id, until, by and reason must be given", i+1)
		}
	}
}

// putOnHold finds who is on hold today, and tells of holds that are over or that
// nobody is meant by.
func (f *facts) putOnHold() {
	if len(f.policy.Holds) == 0 {
		return
	}
	known := make(map[string]bool, len(f.people))
	for i := range f.people {
		known[f.people[i].key().ID] = true
	}
	f.onHold = map[RecordKey]bool{}
	for i := range f.policy.Holds {
		h := &f.policy.Holds[i]
		key := RecordKey{Source: f.policy.Source, ID: h.ID}
		switch {
		case h.Until < f.now:
			f.find("hold-expired", "the hold of record %s by %s has ended on %s: what is due is done again", h.ID, h.By,
				h.Until).Key = key
		case !known[h.ID]:
			f.find("hold-unused", "record %s is on hold until %s by %s, and neither the export nor the directory knows it",
				h.ID, h.Until, h.By).Key = key
		case !f.onHold[key]:
			f.onHold[key] = true
			f.doubts[key] = fmt.Sprintf("on hold until %s by %s: %s", h.Until, h.By, h.Reason)
		}
	}
	if n := len(f.onHold); n > 0 {
		f.find("on-hold", "%s on hold: nothing is done about them", people(n))
	}
}

// stopGuard is the guard under which what is about a doubted person waits.
func (f *facts) stopGuard(k RecordKey) string {
	if f.onHold[k] {
		return guardHold
	}
	return guardIdentity
}

// stopped holds what would be done about an account that is on hold; nothing if
// nothing would be done.
func (d *decisions) stopped(p *individual) {
	a, why := p.account, d.doubts[p.account.Key]
	if p.record != nil && d.here(p.record) {
		w := *a
		d.want(&w, p.record, d.current(p.record))
		switch fields := changes(a, &w); {
		case a.State == Leaving:
			next := w
			next.State, next.NoticedOn, next.RemindedOn = Active, 0, 0
			d.hold(newStep(KindCancelNotice, a, "the record is delivered again", CancelNotice{Before: *a, After: next}),
				guardHold, why)
		case a.State == Deactivated:
			next := w
			next.State, next.NoticedOn, next.RemindedOn, next.Deactivated = Active, 0, 0, 0
			d.hold(newStep(KindReactivate, a, "the record is delivered again", Reactivate{Before: *a, After: next}),
				guardHold, why)
		case len(fields) > 0:
			d.hold(changeStep(a, &w, fields, ""), guardHold, why)
		}
		return
	}
	if d.shield(a) != "" {
		return
	}
	switch a.State {
	case Active:
		d.hold(d.notice(a), guardHold, why)
	case Leaving:
		if !a.NoticedOn.IsZero() && d.now >= a.NoticedOn.AddDays(d.policy.LifeCycle.NoticeDays) {
			d.hold(d.deactivation(a), guardHold, why)
		}
	case Deactivated:
		if !a.Deactivated.IsZero() && d.now >= a.Deactivated.AddDays(d.policy.LifeCycle.PurgeDays) {
			d.hold(newStep(KindPurge, a, fmt.Sprintf("deactivated since %s", a.Deactivated), Purge{Account: *a}), guardHold, why)
		}
	}
}
