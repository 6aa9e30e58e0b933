package schoolmail

import "runtime"

// What is planned for tens of thousands of people does not fit into the processor's
// caches, and what takes longest is to wait for memory. Whoever goes through them does
// so a few at a time, and looks at a byte of all their texts first: so the processor
// waits for the memory of many at once, and not for that of each in its turn.

// few is of how many people at a time the fields are fetched: what they have fits into
// the innermost cache.
const few = 32

// fetchAccounts looks at accounts and does nothing with them.
func (s *sortedState) fetchAccounts(some []ranked) {
	sum := 0
	for _, r := range some {
		sum += s.state.Accounts[r.at].glance()
	}
	for _, r := range some {
		sum += s.state.Accounts[r.at].glanceAtTexts()
	}
	for _, r := range some {
		sum += glanceAtSchools(s.state.Accounts[r.at].Memberships)
	}
	runtime.KeepAlive(sum) // or nothing would be looked at
}

// fetchPlaces looks at users in OX and does nothing with them.
func (s *sortedState) fetchPlaces(some []ranked) {
	sum := 0
	for _, r := range some {
		p := &s.state.Places[r.at]
		sum += len(p.Username) + len(p.FamilyName)
	}
	for _, r := range some {
		p := &s.state.Places[r.at]
		sum += first(p.Username) + first(p.Mail) + first(p.DisplayName) + first(p.GivenName) + first(p.FamilyName)
	}
	runtime.KeepAlive(sum)
}

// fetchPeople looks at accounts and records and does nothing with them.
func fetchPeople(some []individual) {
	sum := 0
	for i := range some {
		if a, r := some[i].account, some[i].record; a != nil && r != nil {
			sum += a.glance() + len(r.Key.ID) + len(r.FamilyName) + len(r.Memberships) + len(r.Traits.Birth)
		}
	}
	for i := range some {
		if a, r := some[i].account, some[i].record; a != nil && r != nil {
			sum += a.glanceAtTexts() + first(r.GivenName) + first(r.FamilyName)
			for j := range r.Memberships {
				sum += len(r.Memberships[j].Classes)
			}
		}
	}
	for i := range some {
		if a, r := some[i].account, some[i].record; a != nil && r != nil {
			sum += glanceAtSchools(a.Memberships) + glanceAtSchools(r.Memberships)
		}
	}
	runtime.KeepAlive(sum)
}

// fetchMoves looks at those who get a seat and does nothing with them.
func fetchMoves(some []placed) {
	sum := 0
	for i := range some {
		c := some[i].claim
		sum += len(c.key.ID) + len(c.unit) + len(c.reason) + len(c.newcomer.memberships)
	}
	for i := range some {
		if c := some[i].claim; c.acc != nil {
			sum += c.acc.glance()
		} else {
			r := c.newcomer.record
			sum += len(r.Key.ID) + len(r.FamilyName) + len(r.Traits.Birth) + first(r.GivenName) + first(r.FamilyName)
		}
	}
	runtime.KeepAlive(sum)
}

// glance looks at all pieces of memory in which an account itself lies.
func (a *Account) glance() int {
	return len(a.Key.ID) + len(a.GivenName) + len(a.Mail) + len(a.Phone) + len(a.Memberships) + len(a.State) +
		len(a.Marks) + len(a.DN)
}

// glanceAtTexts looks at the texts that each person has for themselves.
func (a *Account) glanceAtTexts() int {
	sum := first(a.Key.ID) + first(a.Username) + first(a.GivenName) + first(a.FamilyName) + first(a.DisplayName) +
		first(a.Mail)
	for i := range a.Memberships {
		sum += len(a.Memberships[i].Classes)
	}
	return sum
}

func glanceAtSchools(ms []Membership) int {
	sum := 0
	for i := range ms {
		sum += first(string(ms[i].School))
		for _, c := range ms[i].Classes {
			sum += first(c)
		}
	}
	return sum
}

func first(s string) int {
	if s == "" {
		return 0
	}
	return int(s[0])
}
