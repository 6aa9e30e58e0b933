package schoolmail

import (
	"fmt"
	"slices"
)

// Old copies are what a transfer leaves behind for the grace. The last copy of
// anything is never deleted: an old copy goes only while the user stands where
// the directory says the person lives, and never many at once.

// lastCopy returns the old copy of somebody who has no user where the directory
// says; nil: there is none, or it is not the last.
func (b *builder) lastCopy(a *Account) *Place {
	if a.Previous.Context == 0 || a.Previous.Context == a.Context || b.placeAt(a.Username, a.Context) != nil {
		return nil
	}
	return b.placeAt(a.Username, a.Previous.Context)
}

// due reports whether the grace of an old copy is over.
func (b *builder) due(a *Account) bool {
	return a.Previous.Context != 0 && b.now >= a.Previous.Since.AddDays(max(0, b.policy.LifeCycle.TransferGraceDays))
}

// oldCopies finds old copies that are the last ones, and asks the guard how
// many of the others may go today.
func (b *builder) oldCopies() {
	var drops []Step
	for _, a := range b.accounts {
		if a.Held {
			continue
		}
		old := b.placeAt(a.Username, a.Previous.Context)
		switch {
		case b.lastCopy(a) != nil:
			b.find("last-copy", "%s has no user in context %d, where the directory says the person lives; user %d in context %d, the old copy "+
				"of the transfer of %s, is all that is left: it is kept, and nothing is made anew beside it; an override of the guard "+
				"\"restore\" copies it back", a.Username, a.Context, old.UserID, old.Context, a.Previous.Since).Key = a.Key
		case old != nil && old.Context != a.Context && b.due(a):
			drops = append(drops, b.dropStep(a))
		}
	}
	slices.SortFunc(drops, func(x, y Step) int { return x.Key.Compare(y.Key) })
	b.droppable = map[RecordKey]bool{}
	for _, s := range b.guard("copies", drops, nil) {
		b.droppable[s.Key] = true
	}
}

func (b *builder) dropStep(a *Account) Step {
	next := *a
	next.Previous = Previous{}
	s := b.step(KindDropCopy, a, fmt.Sprintf("transferred to context %d on %s, the copy in context %d was kept %d days",
		a.Context, a.Previous.Since, a.Previous.Context, b.now.Sub(a.Previous.Since)), DropCopy{Before: *a, After: next})
	s.Destructive = true
	return s
}

// dropCopy adds the removal of an old copy whose grace is over. When the account
// is purged, its copy goes whatever the grace.
func (b *builder) dropCopy(s *seeker, purging bool) {
	a := *s.before
	if a.Previous.Context == 0 || !purging && !b.due(&a) {
		return
	}
	next := a
	next.Previous = Previous{}
	switch {
	case b.placeAt(a.Username, a.Previous.Context) == nil || a.Previous.Context == a.Context:
		forget := b.step(KindChange, &a, "the old copy is gone already", ChangeAccount{Before: a, After: next, Fields: []string{"previous"}})
		forget.ID = "forget-copy:" + a.Key.String() // there may be another change
		s.step = append(s.step, forget)
	case purging:
		drop := b.dropStep(&a)
		drop.Action = DropCopy{Before: a, After: next, WithAccount: true}
		s.step = append(s.step, drop)
	case !b.droppable[a.Key]: // the last one, or one too many
		return
	default:
		s.step = append(s.step, b.dropStep(&a))
	}
	s.before = &next
	s.acc.Previous = Previous{}
}

// dropOld removes an old copy of somebody who is leaving; the copy does not
// depend on whether the person is delivered.
func (b *builder) dropOld(a *Account, purging bool) {
	s := seeker{before: a, acc: *a}
	if b.dropCopy(&s, purging); len(s.step) > 0 {
		b.frees = append(b.frees, s.step...)
		*a = *s.before
	}
}

// restore plans for somebody whose old copy is all that is left: the copy is
// brought back when an override asks for it. Until then nothing of the person
// changes that would make a user.
func (b *builder) restore(cur Account, chain []Step, access string, pop *Population) {
	from := cur.Previous
	reason := fmt.Sprintf("the user is missing in context %d and is copied back from the old copy in context %d", cur.Context, from.Context)
	cur.Previous.Since = b.now
	school := SchoolID("")
	if len(cur.Memberships) > 0 {
		school = cur.Memberships[0].School
	}
	if b.override("restore", school) == "" {
		b.steps = append(b.steps, chain...)
		b.hold(b.step(KindRepair, &cur, reason, RepairPlace{Account: cur, Access: access, Missing: true, Restore: true}), "restore",
			fmt.Sprintf("the copy in context %d is all that is left: somebody decides", from.Context))
		return
	}
	s := seeker{before: &cur, acc: cur, access: access, step: chain, reason: reason, restore: true}
	s.pin = cur.Context
	b.seek(s, pop)
}

// leftovers drops copies that cut-off transfers have left behind and nobody needs
// any more: the journal proves them ours, the person's place stands elsewhere, and
// no transfer of today goes there.
func (b *builder) leftovers() {
	wanted := map[copyKey]bool{}
	for i := range b.seekers {
		wanted[copyKey{b.seekers[i].acc.Username, b.seekers[i].pin}] = true
	}
	accounts := map[string]*Account{}
	for _, a := range b.accounts {
		accounts[a.Username] = a
	}
	for _, l := range b.state.Leftovers {
		a := accounts[l.Username]
		if a == nil || a.Held || a.State == Pending || wanted[copyKey{l.Username, l.Context}] || !b.isLeftover(a, l) {
			continue
		}
		s := b.step(KindDropCopy, a, fmt.Sprintf("a transfer to context %d was cut off and is not wanted any more", l.Context),
			DropCopy{Before: *a, After: *a, Leftover: &l})
		s.ID = fmt.Sprintf("drop-leftover-%d:%s", l.Context, a.Key)
		s.Destructive = true
		b.frees = append(b.frees, s)
	}
}

// isLeftover reports whether what the journal has proved ours is still there,
// beside the person's place.
func (b *builder) isLeftover(a *Account, l Leftover) bool {
	there, home := b.placeAt(l.Username, l.Context), b.placeAt(a.Username, a.Context)
	return there != nil && home != nil && l.Context != a.Context && l.Context != a.Previous.Context && copyProof{userID: l.UserID}.fits(*home, *there)
}
