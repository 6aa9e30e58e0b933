package years

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Kind is something that must never happen.
type Kind string

// What is counted.
const (
	SomebodyElse     Kind = "an account became somebody else's"
	SecondAccount    Kind = "somebody got a second account"
	PresentNoticed   Kind = "a notice to somebody who is there and shielded"
	ShortNotice      Kind = "deactivated without a notice of 56 days"
	PresentClosed    Kind = "deactivated while delivered"
	PurgedEarly      Kind = "purged before its day"
	LastCopyLost     Kind = "the last copy of somebody's data deleted"
	DataLost         Kind = "somebody lives where their data are not"
	MailLost         Kind = "mail of a living account deleted"
	NameAgain        Kind = "a name or address given to somebody else"
	NameChanged      Kind = "an address or key changed by itself"
	DisplayNameTwice Kind = "a display name twice in a context"
	Overfull         Kind = "a context above its capacity"
	HeldTouched      Kind = "an account on hold touched"
	StrangerTouched  Kind = "somebody else's user or account touched"
	NoPassword       Kind = "an account without a password"
	ToldTwice        Kind = "a notice repeated that the journal has as sent"
	SecondRun        Kind = "a second run found something to do"
	OverLimit        Kind = "more went than the limits allow"
	WrongPlace       Kind = "somebody delivered and not held is not where they belong"
	RightsSlipped    Kind = "more roles, classes, schools or fields changed than the limits allow"
	NotComputed      Kind = "a plan that is not what its inputs give, or accepted after they changed"
	TwoWriters       Kind = "two runs wrote at the same time"
	WronglyTaken     Kind = "an account of a living site proposed for somebody else"
	Refused          Kind = "a plan could not be made or applied on a quiet day"
)

// Kinds lists all of them.
var Kinds = []Kind{SomebodyElse, SecondAccount, PresentNoticed, ShortNotice, PresentClosed, PurgedEarly,
	LastCopyLost, DataLost, MailLost, NameAgain, NameChanged, DisplayNameTwice, Overfull, HeldTouched,
	StrangerTouched, NoPassword, ToldTwice, SecondRun, OverLimit, WrongPlace, RightsSlipped, NotComputed,
	TwoWriters, WronglyTaken, Refused}

// Harm counts it, with a few examples.
type Harm map[Kind]*Count

// Count is how often, and where first.
type Count struct {
	N     int
	First []string
}

func (h Harm) add(k Kind, what string) {
	c := h[k]
	if c == nil {
		c = &Count{}
		h[k] = c
	}
	if c.N++; len(c.First) < 3 {
		c.First = append(c.First, what)
	}
}

// Total is all of it.
func (h Harm) Total() int {
	n := 0
	for _, c := range h {
		n += c.N
	}
	return n
}

// truth is what the planner cannot know.
type truth struct {
	// behind says who really stands behind a record of today's export.
	behind map[schoolmail.RecordKey]string
	// there says who is in the district today, whatever the export says, unless the
	// export lies about them in a way that nobody could notice.
	there map[string]bool
	// sure says that a person's record is in today's export and readable.
	delivered map[string]bool
	export    string // what is wrong with it
}

func (t *truth) create(w *World, who string, a schoolmail.Account) {
	for _, o := range w.accounts {
		if w.owner[o.Username] == who && o.Username != a.Username {
			w.Harm.add(SecondAccount, fmt.Sprint(w.today, " ", a.Username, " besides ", o.Username))
		}
	}
}

func (t *truth) change(w *World, before, after schoolmail.Account) {
	who := w.owner[after.Username]
	if before.Key.IsZero() {
		w.Harm.add(StrangerTouched, after.Username)
	}
	person := !slices.Equal(before.Aliases, after.Aliases) || before.GivenName != after.GivenName ||
		before.FamilyName != after.FamilyName || before.Role != after.Role || before.Phone != after.Phone ||
		before.Language != after.Language || fmt.Sprint(before.Memberships) != fmt.Sprint(after.Memberships) ||
		before.State != after.State && after.State == schoolmail.Active
	if behind, ok := t.behind[after.Key]; ok && behind != who && person {
		w.Harm.add(SomebodyElse, fmt.Sprint(w.today, " ", after.Username, " of ", who, " becomes ", behind))
	}
	if after.State == schoolmail.Deactivated && before.State != schoolmail.Deactivated {
		if before.State != schoolmail.Leaving || before.NoticedOn.IsZero() || w.today.Sub(before.NoticedOn) < noticeDays ||
			after.Deactivated != w.today {
			w.Harm.add(ShortNotice, fmt.Sprint(w.today, " ", after.Username))
		}
		if t.delivered[who] {
			w.Harm.add(PresentClosed, fmt.Sprint(w.today, " ", after.Username))
		}
	}
}

func (t *truth) notice(w *World, a schoolmail.Account) {
	if who := w.owner[a.Username]; t.there[who] {
		w.Harm.add(PresentNoticed, fmt.Sprint(w.today, " ", a.Username, "; export: ", t.export))
	}
}

func (t *truth) deleteUser(w *World, c schoolmail.ContextID, u user) {
	a, ok := w.accounts[u.spec.Username]
	switch {
	case u.data == stranger:
		w.Harm.add(StrangerTouched, u.spec.Username)
	case !ok:
	case a.Context == c && !(a.State == schoolmail.Deactivated && w.today.Sub(a.Deactivated) >= purgeDays):
		w.Harm.add(LastCopyLost, fmt.Sprint(w.today, " ", u.spec.Username, " in context ", c))
	case a.Context != c && !(a.State == schoolmail.Deactivated && w.today.Sub(a.Deactivated) >= purgeDays):
		if x := w.contexts[a.Context]; x == nil || x.users[a.Username].data != u.data {
			w.Harm.add(LastCopyLost, fmt.Sprint(w.today, " ", u.spec.Username, " in context ", c))
		}
	}
}

// Add adds the counts of another.
func (h Harm) Add(o Harm) {
	for k, c := range o {
		sum := h[k]
		if sum == nil {
			sum = &Count{}
			h[k] = sum
		}
		sum.N += c.N
		sum.First = append(sum.First, c.First...)
	}
}

// String has a line for every kind, and the examples.
func (h Harm) String() string {
	var b strings.Builder
	for _, k := range Kinds {
		n := 0
		if c := h[k]; c != nil {
			n = c.N
		}
		fmt.Fprintf(&b, "%6d  %s\n", n, k)
		if n > 0 {
			for _, f := range h[k].First {
				fmt.Fprintf(&b, "        %s\n", f)
			}
		}
	}
	return b.String()
}
