package years

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail"
)

// A district is taken over now and then: a share of the accounts lose their record ids,
// and whatever else only we write. Runs go on; some days later the accounts are taken over
// as proposed, and somebody who knows everybody decides about those to ask for.

// estrange takes the record ids from a share of the active accounts. Now and then the
// directory does not know in which context they are.
func (l *Life) estrange() {
	w := l.World
	share, homeless := 100+l.more.IntN(900), l.more.IntN(2) == 0
	for _, n := range slices.Sorted(maps.Keys(w.accounts)) {
		a := w.accounts[n]
		if a.State != schoolmail.Active || a.Held || a.Key.IsZero() || a.Previous.Context != 0 || l.more.IntN(1000) >= share {
			continue
		}
		if x := w.contexts[a.Context]; x == nil || x.users[n].spec.Username == "" {
			continue
		}
		l.strange[n] = a.Key
		a.Key, a.State, a.Made, a.Access, a.Marks = schoolmail.RecordKey{}, "", 0, "", nil
		if l.more.IntN(2) == 0 {
			a.Traits = schoolmail.Traits{}
		}
		if homeless {
			a.Context = 0
		}
		w.accounts[n] = a
	}
	// What was done to them is known to nobody any more.
	w.changes = slices.DeleteFunc(w.changes, func(c change) bool { return l.strange[c.who] != schoolmail.RecordKey{} })
	l.takenOver = l.Days + 1 + l.more.IntN(3)
}

// takeOver adopts what is proposed for a delivery, and gives the rest their ids back by
// hand.
func (l *Life) takeOver(d *schoolmail.Delivery) error {
	w := l.World
	list, err := schoolmail.Adoptions(l.policy, w.observe(), *d, w.today)
	if err != nil {
		return err
	}
	records := map[schoolmail.RecordKey]*schoolmail.Record{}
	for i := range d.Records {
		records[d.Records[i].Key] = &d.Records[i]
	}
	have := map[schoolmail.RecordKey]bool{}
	adopt := func(name string, key schoolmail.RecordKey) {
		a := w.accounts[name]
		a.Key, a.State = key, schoolmail.Active
		w.accounts[name] = a
		have[key] = true
		delete(l.strange, name)
	}
	for _, a := range list {
		account, r := w.accounts[a.Username], records[a.Key]
		right := l.truth.behind[a.Key] == w.owner[a.Username]
		l.Proposed++
		switch {
		case a.Sure && (!right || have[a.Key] || !account.Key.IsZero()):
			w.Harm.add(WronglyTaken, fmt.Sprint(w.today, " ", a.Username, " of ", w.owner[a.Username], " as record ", a.Key.ID,
				": ", a.Why))
		case right && !have[a.Key] && schoolmail.RefuseAdoption(&account, r, w.today) == "":
			adopt(a.Username, a.Key)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(l.strange)) {
		adopt(n, l.strange[n])
	}
	return nil
}
