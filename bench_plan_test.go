//go:build unix

package schoolmail

import (
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// This file compiles against the first version too: docs/bench-before.sh builds
// it from commit f92195a and runs both.

// benchPeople is how many people the benchmarks plan for; SCHOOLMAIL_PEOPLE says otherwise.
func benchPeople() int {
	if n, err := strconv.Atoi(os.Getenv("SCHOOLMAIL_PEOPLE")); err == nil && n > 0 {
		return n
	}
	return 32000
}

func benchPolicy(people int) Policy {
	p := Policy{Source: "escada", TermChanges: []Window{{From: NewDate(2026, 8, 1), Until: NewDate(2026, 9, 1)}}}
	for i := range 6 {
		p.Contexts = append(p.Contexts, ContextSpec{ID: ContextID(10 + i), Name: fmt.Sprint("c", i),
			Capacity: people/4 + 100})
	}
	pop := func(name string, role Role, contexts ...ContextID) Population {
		return Population{Name: name, Roles: []Role{role}, Contexts: contexts, Domain: name + ".example", Access: "webmail"}
	}
	primary, secondary := pop("primary", RolePupil, 11, 12, 13), pop("secondary", RolePupil, 14, 15)
	primary.Levels = append(primary.Levels, "primary")
	secondary.Levels = append(secondary.Levels, "secondary")
	p.Populations = []Population{pop("teachers", RoleTeacher, 10), primary, secondary}
	return p
}

// benchRecord is the i-th person. Family names are made of syllables; one of seven has an umlaut.
func benchRecord(i int) Record {
	given := []string{"Anna", "Noah", "Mia", "Liam", "Zoé", "Elias", "Emma", "Luca", "Lea", "Jörg"}
	parts := []string{"ba", "ker", "li", "mann", "sto", "ger", "wy", "ler", "hub", "ü", "schmid", "ret", "kel", "dor",
		"fi", "nag"}
	family := "M"
	for x := i/3 + 17; x > 0; x /= len(parts) {
		family += parts[x%len(parts)]
	}
	school := i % 60
	r := Record{Key: RecordKey{"escada", fmt.Sprint(100000 + i)}, GivenName: given[i%len(given)], FamilyName: family,
		Role: RolePupil}
	m := Membership{School: SchoolID(fmt.Sprintf("school-%02d", school)),
		Classes: []string{fmt.Sprint(1+i/60%6, "abcd"[i/360%4:][:1])}}
	switch {
	case i%10 == 0:
		r.Role = RoleTeacher
	case school%3 == 0:
		m.Level = "secondary"
	default:
		m.Level = "primary"
	}
	r.Memberships = []Membership{m}
	return r
}

func benchDelivery(rs []Record) Delivery {
	return Delivery{Source: "escada", Kind: DeliveryFull, Fingerprint: "x", Records: rs, Rows: len(rs)}
}

// benchWorld returns n records, and the state after they have got their accounts.
func benchWorld(b *testing.B, p Policy, n int) ([]Record, State) {
	rs := make([]Record, n)
	for i := range rs {
		rs[i] = benchRecord(i)
	}
	plan, err := NewPlan(p, State{}, benchDelivery(rs), NewDate(2026, 3, 2))
	if err != nil {
		b.Fatal(err)
	}
	var st State
	users := map[ContextID]int{}
	var place Place
	for _, s := range plan.Steps {
		act, ok := s.Action.(CreateAccount)
		if !ok {
			continue
		}
		a := act.Account
		place.UserID++
		place.Context, place.Username, place.Mail, place.DisplayName = a.Context, a.Username, a.Mail, a.DisplayName
		place.GivenName, place.FamilyName, place.MailEnabled = a.GivenName, a.FamilyName, true
		st.Accounts, st.Places = append(st.Accounts, a), append(st.Places, place)
		users[a.Context]++
	}
	for _, c := range p.Contexts {
		st.Contexts = append(st.Contexts, Context{ID: c.ID, Name: c.Name, Users: users[c.ID]})
	}
	if len(st.Accounts) < n*99/100 {
		b.Fatalf("%d accounts for %d people", len(st.Accounts), n)
	}
	return rs, st
}

// benchTerm changes 30 in 100, takes 10 away and adds 10 new ones.
func benchTerm(rs []Record) []Record {
	var out []Record
	for i, r := range rs {
		switch {
		case i%10 == 7:
			continue
		case i%10 < 3:
			r.Memberships = []Membership{r.Memberships[0]}
			r.Memberships[0].Classes = []string{"9x"}
			if i%100 == 1 && r.Role == RolePupil {
				r.Memberships[0].Level = "secondary"
			}
		}
		out = append(out, r)
	}
	for i := range len(rs) / 10 {
		out = append(out, benchRecord(len(rs)+i))
	}
	return out
}

// yardstick is what any program that compares two lists must at least do: a map
// of all record keys, and a sorted copy of them.
func yardstick(rs []Record) int {
	m := map[RecordKey]int{}
	keys := make([]RecordKey, len(rs))
	for i := range rs {
		m[rs[i].Key] = i
		keys[i] = rs[i].Key
	}
	slices.SortFunc(keys, RecordKey.Compare)
	return len(m) + len(keys)
}

// processorTime is what the process has used on all cores: on a loaded machine
// the clock on the wall says nothing.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkNewPlan reports, besides the usual, how much processor time a plan
// costs, also in yardsticks: one is laid on after every plan, so that both meet
// the same machine.
func BenchmarkNewPlan(b *testing.B) {
	n := benchPeople()
	p := benchPolicy(n)
	rs, st := benchWorld(b, p, n)
	shuffled := slices.Clone(rs)
	rand.New(rand.NewSource(1)).Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	empty := State{}
	for _, c := range p.Contexts {
		empty.Contexts = append(empty.Contexts, Context{ID: c.ID, Name: c.Name, Users: 1})
	}
	for _, c := range []struct {
		name  string
		state State
		d     Delivery
	}{
		{"nothing", st, benchDelivery(rs)},
		{"first", empty, benchDelivery(rs)},
		{"term", st, benchDelivery(benchTerm(rs))},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			steps := 0
			var used, stick time.Duration
			for b.Loop() {
				start := processorTime()
				plan, err := NewPlan(p, c.state, c.d, NewDate(2026, 8, 10))
				if err != nil {
					b.Fatal(err)
				}
				steps = len(plan.Steps)
				used += processorTime() - start
				b.StopTimer()
				start = processorTime()
				yardstick(shuffled)
				stick += processorTime() - start
				b.StartTimer()
			}
			b.ReportMetric(float64(used)/float64(stick), "yardsticks")
			b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "cpu-ms")
			b.ReportMetric(float64(steps), "steps")
		})
	}
}

// BenchmarkEncode writes the plan of a first run as JSON.
func BenchmarkEncode(b *testing.B) {
	n := benchPeople()
	p := benchPolicy(n)
	rs := make([]Record, n)
	for i := range rs {
		rs[i] = benchRecord(i)
	}
	plan, err := NewPlan(p, State{}, benchDelivery(rs), NewDate(2026, 3, 2))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := plan.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}
