package schoolmail

import (
	"fmt"
	"maps"
	"slices"
)

// Old copies are what a transfer leaves behind for the grace. The last copy of
// anything is never deleted: an old copy goes only while the user stands where
// the directory says the person lives, and never many at once.

// lastCopy returns the old copy of somebody who has no user where the directory
// says; nil: there is none, or it is not the last.
func (f *facts) lastCopy(a *Account) *Place {
	if a.Previous.Context == 0 || a.Previous.Context == a.Context || f.placeAt(a.Username, a.Context) != nil {
		return nil
	}
	return f.placeAt(a.Username, a.Previous.Context)
}

// lastLeftover returns what a cut-off transfer has left of somebody who has no user
// where the directory says, if the journal proves it ours; nil: there is none.
func (f *facts) lastLeftover(a *Account) *Place {
	if f.placeAt(a.Username, a.Context) != nil {
		return nil
	}
	for _, l := range f.state.Leftovers {
		if l.Username != a.Username {
			continue
		}
		if p := f.placeAt(l.Username, l.Context); p != nil && (l.UserID == 0 || l.UserID == p.UserID) {
			return p
		}
	}
	return nil
}

// due reports whether the grace of an old copy is over.
func (in *given) due(a *Account) bool {
	return a.Previous.Context != 0 && in.now >= a.Previous.Since.AddDays(max(0, in.policy.LifeCycle.TransferGraceDays))
}

// oldCopies finds old copies that are the last ones, and asks the guard how many of
// the others, and of what cut-off transfers have left, may go today.
func (d *decisions) oldCopies() {
	var drops []*Step
	for i := range d.people {
		a := d.people[i].account
		if a == nil || d.people[i].settled >= 0 || a.Held || d.onHold[a.Key] || a.Previous.Context == 0 {
			continue
		}
		old := d.placeAt(a.Username, a.Previous.Context)
		switch {
		case d.lastCopy(a) != nil:
			d.find("last-copy", "%s has no user in context %d, where the directory says the person lives; "+
				"user %d in context %d, the old copy "+
				"of the transfer of %s, is all that is left: it is kept, and nothing is made anew beside it; "+
				"an override of the guard "+
				"\"restore\" copies it back", a.Username, a.Context, old.UserID, old.Context, a.Previous.Since).Key = a.Key
		case old != nil && old.Context != a.Context && d.due(a) && d.beingUpdated(old.Context) != "":
			d.hold(d.dropStep(a), "", d.beingUpdated(old.Context))
		case old != nil && old.Context != a.Context && d.due(a):
			drop := d.dropStep(a)
			drops = append(drops, &drop)
		}
	}
	drops = append(drops, pointers(d.leftovers())...)
	slices.SortStableFunc(drops, func(x, y *Step) int { return x.Key.Compare(y.Key) })
	d.droppable = map[string]bool{}
	v := d.allow(guardCopies, drops, nil)
	for _, s := range v.ok {
		d.droppable[s.ID] = true
	}
	d.held = append(d.held, v.held...)
	d.findings = append(d.findings, v.told...)
	d.used = maps.Clone(v.used)
}

func (d *decisions) dropStep(a *Account) Step {
	next := *a
	next.Previous = Previous{}
	return newStep(KindDropCopy, a, fmt.Sprintf("transferred to context %d on %s, the copy in context %d was kept %d days",
		a.Context, a.Previous.Since, a.Previous.Context, d.now.Sub(a.Previous.Since)), DropCopy{Before: *a, After: next})
}

// dropCopy adds the removal of an old copy whose grace is over. When the account
// is purged, its copy goes whatever the grace.
func (d *decisions) dropCopy(c *claim, purging bool) {
	if c.before.Previous.Context == 0 || !purging && !d.due(c.before) {
		return
	}
	a := *c.before
	next := a
	next.Previous = Previous{}
	switch {
	case d.placeAt(a.Username, a.Previous.Context) == nil || a.Previous.Context == a.Context:
		forget := newStep(KindChange, &a, "the old copy is gone already",
			ChangeAccount{Before: a, After: next, Fields: []string{"previous"}})
		forget.ID = "forget-copy:" + a.Key.String() // there may be another change
		c.steps = append(c.steps, forget)
	case purging:
		drop := d.dropStep(&a)
		drop.Action = DropCopy{Before: a, After: next, WithAccount: true}
		c.steps = append(c.steps, drop)
	default:
		drop := d.dropStep(&a)
		if !d.droppable[drop.ID] { // the last one, or one too many
			return
		}
		c.steps = append(c.steps, drop)
	}
	c.before = &next
	c.acc.Previous = Previous{}
}

// dropOld removes an old copy of somebody who is leaving, and returns the account
// after it; the copy does not depend on whether the person is delivered.
func (d *decisions) dropOld(a *Account, purging bool) *Account {
	if a.Previous.Context == 0 {
		return a
	}
	c := &claim{before: a, acc: d.copyOf(a)}
	d.dropCopy(c, purging)
	d.frees = append(d.frees, c.steps...)
	return c.before
}

// keepLeftover makes nothing anew beside the copy that is all that is left of somebody:
// the next night would take it for one that nobody needs.
func (d *decisions) keepLeftover(cur *Account, chain []Step, access string, left *Place) {
	d.find("last-copy", "%s has no user in context %d, where the directory says the person lives; user %d in context %d, "+
		"which a cut-off transfer has left, is all that is left: it is kept, and nothing is made anew beside it until "+
		"somebody has brought it back", cur.Username, cur.Context, left.UserID, left.Context).Key = cur.Key
	d.steps = append(d.steps, chain...)
	d.hold(newStep(KindRepair, cur, "the user is missing", RepairPlace{Account: *cur, Access: access, Missing: true}),
		"restore", fmt.Sprintf("the copy in context %d is all that is left: somebody decides", left.Context))
}

// restore plans for somebody whose old copy is all that is left: the copy is
// brought back when an override asks for it. Until then nothing of the person
// changes that would make a user.
func (d *decisions) restore(i int32, cur Account, chain []Step, access string, pop *Population) {
	from := cur.Previous
	reason := fmt.Sprintf("the user is missing in context %d and is copied back from the old copy in context %d",
		cur.Context, from.Context)
	cur.Previous.Since = d.now
	school := SchoolID("")
	if len(cur.Memberships) > 0 {
		school = cur.Memberships[0].School
	}
	if d.override("restore", school) == "" {
		d.steps = append(d.steps, chain...)
		d.hold(newStep(KindRepair, &cur, reason, RepairPlace{Account: cur, Access: access, Missing: true, Restore: true}),
			"restore",
			fmt.Sprintf("the copy in context %d is all that is left: somebody decides", from.Context))
		return
	}
	c := &claim{before: &cur, acc: d.copyOf(&cur), access: access, steps: chain, reason: reason, restore: true, person: i,
		pin: cur.Context}
	d.claim(c, pop, cur.Memberships)
}

// leftovers lists the copies that cut-off transfers have left behind: the journal proves
// them ours, and the person's place stands elsewhere.
func (d *decisions) leftovers() (drops []Step) {
	for _, l := range d.state.Leftovers {
		i, ok := d.byUser.number(l.Username)
		if !ok {
			continue
		}
		p := d.personOf(d.state.Accounts[i].Key)
		if p == nil || p.account == nil || p.account.Username != l.Username {
			continue
		}
		a := p.account
		if a.Held || d.onHold[a.Key] || a.State == Pending || !d.isLeftover(a, l) {
			continue
		}
		s := newStep(KindDropCopy, a, fmt.Sprintf("a transfer to context %d was cut off and is not wanted any more",
			l.Context),
			DropCopy{Before: *a, After: *a, Leftover: &l})
		s.ID = fmt.Sprintf("drop-leftover-%d:%s", l.Context, a.Key)
		drops = append(drops, s)
	}
	return drops
}

// dropLeftovers drops those of them that the guard lets go, unless a transfer of today
// goes there.
func (d *decisions) dropLeftovers() {
	drops := d.leftovers()
	if len(drops) == 0 {
		return
	}
	wanted := map[copyKey]bool{}
	for _, c := range d.claims {
		if c.pin != 0 {
			wanted[copyKey{c.username(), c.pin}] = true
		}
	}
	for _, s := range drops {
		if d.droppable[s.ID] && !wanted[copyKey{s.Subject, s.Action.frees()}] {
			d.frees = append(d.frees, s)
		}
	}
}

// isLeftover reports whether what the journal has proved ours is still there,
// beside the person's place.
func (f *facts) isLeftover(a *Account, l Leftover) bool {
	there, home := f.placeAt(l.Username, l.Context), f.placeAt(a.Username, a.Context)
	return there != nil && home != nil && l.Context != a.Context && l.Context != a.Previous.Context &&
		copyProof{userID: l.UserID}.fits(*home, *there, a)
}
