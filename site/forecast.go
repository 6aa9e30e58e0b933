package site

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ictmedia/schoolmail"
)

// Churn is how many people come and go with each change of terms, in percent of those
// who are there.
type Churn struct {
	NewPercent, GonePercent int
}

// MeasuredChurn is the churn of the kept runs of the twelve months before a day, per
// change of terms; runs says of how many. The run that has made the first accounts
// does not count.
func (s *Site) MeasuredChurn(w *World) (churn Churn, runs int, err error) {
	entries, err := os.ReadDir(s.RunsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return churn, 0, err
	}
	came, gone := 0, 0
	for _, e := range entries {
		plan, err := ReadPlan(filepath.Join(s.RunsDir(), e.Name(), planFile))
		if err != nil {
			continue // a folder that is no run, or of an older version
		}
		h := plan.Header
		if h.Now > w.Day || h.Now < w.Day.AddDays(-outlookDays) || h.Accounts == 0 {
			continue
		}
		runs++
		n := plan.Count()
		came += n[schoolmail.KindCreate]
		gone += n[schoolmail.KindNotice] - n[schoolmail.KindCancelNotice]
	}
	active := 0
	for i := range w.State.Accounts {
		if a := &w.State.Accounts[i]; a.Key.Source == s.policy.Source && a.State == schoolmail.Active {
			active++
		}
	}
	terms := len(newFiller(&s.policy, w, &schoolmail.Plan{}).terms())
	per := func(n int) int { return (100*max(n, 0) + active*terms - 1) / max(1, active*terms) }
	return Churn{NewPercent: per(came), GonePercent: per(gone)}, runs, nil
}

// Outlook is how contexts fill through the year after a plan.
type Outlook struct {
	Day      schoolmail.Date   // of the plan
	Days     []schoolmail.Date // of the columns
	Terms    []schoolmail.Date // days on which people come and go
	Contexts []Filling
	Short    []Shortage
}

// Filling is how one context fills.
type Filling struct {
	Context  schoolmail.ContextID
	Name     string
	Capacity int
	Now      int
	Planned  int // once the plan is done
	Users    []int
	Full     schoolmail.Date // the first day without a free seat; 0: none within the year
}

// Shortage says that a population finds no seat in any of its contexts.
type Shortage struct {
	Population string
	Day        schoolmail.Date
	People     int                  // who find none on that day
	Declare    schoolmail.ContextID // a context with this id in time would hold them
}

const outlookDays = 365

// Forecast says how the contexts fill: now, after the plan, and through the year
// under a churn. People come on the first day of a change of terms that the policy
// declares, or else every half-year; who goes keeps the seat for notice and purge, as
// the policy says. Old copies of transfers go after their grace.
func (s *Site) Forecast(w *World, plan *schoolmail.Plan, churn Churn) *Outlook {
	f := newFiller(&s.policy, w, plan)
	o := &Outlook{Day: w.Day, Terms: f.terms()}
	for i := range plan.Forecast {
		p := &plan.Forecast[i]
		o.Contexts = append(o.Contexts, Filling{Context: p.Context, Name: p.Name, Capacity: p.Capacity, Now: p.Before,
			Planned: p.After})
	}
	for n := 1; n <= outlookDays; n++ {
		day := w.Day.AddDays(n)
		f.free(day)
		if slices.Contains(o.Terms, day) {
			o.Short = append(o.Short, f.term(day, churn)...)
		}
		column := n%30 == 0 && n <= 360
		if column {
			o.Days = append(o.Days, day)
		}
		for i := range o.Contexts {
			c := &o.Contexts[i]
			if c.Full.IsZero() && f.users[c.Context] >= c.Capacity && c.Capacity > 0 {
				c.Full = day
			}
			if column {
				c.Users = append(c.Users, f.users[c.Context])
			}
		}
	}
	return o
}

// filler moves through the year.
type filler struct {
	policy *schoolmail.Policy
	day    schoolmail.Date
	users  map[schoolmail.ContextID]int
	room   map[schoolmail.ContextID]int
	active map[string]map[schoolmail.ContextID]int // by population
	frees  map[schoolmail.Date]map[schoolmail.ContextID]int
	next   schoolmail.ContextID // id for a context to declare
}

func newFiller(policy *schoolmail.Policy, w *World, plan *schoolmail.Plan) *filler {
	full := policy.WithDefaults()
	f := &filler{policy: &full, day: w.Day, users: map[schoolmail.ContextID]int{}, room: map[schoolmail.ContextID]int{},
		active: map[string]map[schoolmail.ContextID]int{}, frees: map[schoolmail.Date]map[schoolmail.ContextID]int{}}
	for _, p := range plan.Forecast {
		f.users[p.Context], f.room[p.Context] = p.After, p.Capacity
	}
	for _, c := range policy.Contexts {
		f.next = max(f.next, c.ID+1)
	}
	after := map[schoolmail.RecordKey]*schoolmail.Account{}
	for i := range w.State.Accounts {
		if a := &w.State.Accounts[i]; a.Key.Source == policy.Source {
			after[a.Key] = a
		}
	}
	for i := range plan.Steps {
		if s := &plan.Steps[i]; !s.Key.IsZero() {
			if _, a := s.Accounts(); a != nil {
				after[s.Key] = a
			} else {
				delete(after, s.Key)
			}
		}
	}
	for _, a := range after {
		f.person(a)
	}
	return f
}

// person counts an account, and notes when its seats get free.
func (f *filler) person(a *schoolmail.Account) {
	life := f.policy.LifeCycle
	if p := a.Previous; p.Context != 0 {
		f.freeOn(p.Since.AddDays(max(0, life.TransferGraceDays)), p.Context, 1)
	}
	switch a.State {
	case schoolmail.Leaving:
		f.freeOn(a.NoticedOn.AddDays(life.NoticeDays+life.PurgeDays), a.Context, 1)
	case schoolmail.Deactivated:
		f.freeOn(a.Deactivated.AddDays(life.PurgeDays), a.Context, 1)
	default:
		for _, p := range f.policy.Populations {
			if slices.Contains(p.Contexts, a.Context) && slices.Contains(p.Roles, a.Role) {
				if f.active[p.Name] == nil {
					f.active[p.Name] = map[schoolmail.ContextID]int{}
				}
				f.active[p.Name][a.Context]++
				return
			}
		}
	}
}

func (f *filler) freeOn(day schoolmail.Date, c schoolmail.ContextID, n int) {
	day = max(day, f.day.AddDays(1))
	if f.frees[day] == nil {
		f.frees[day] = map[schoolmail.ContextID]int{}
	}
	f.frees[day][c] += n
}

func (f *filler) free(day schoolmail.Date) {
	for c, n := range f.frees[day] {
		f.users[c] -= n
	}
}

// terms are the days of the year on which people come and go.
func (f *filler) terms() []schoolmail.Date {
	last := f.day.AddDays(outlookDays)
	var days []schoolmail.Date
	for _, w := range f.policy.TermChanges {
		if w.From > f.day && w.From <= last {
			days = append(days, w.From)
		}
	}
	if len(days) == 0 {
		days = []schoolmail.Date{f.day.AddDays(outlookDays / 2), last}
	}
	slices.Sort(days)
	return slices.Compact(days)
}

// term lets people go and come, each where their population has most room.
func (f *filler) term(day schoolmail.Date, churn Churn) (short []Shortage) {
	life := f.policy.LifeCycle
	for i := range f.policy.Populations {
		p := &f.policy.Populations[i]
		here := f.active[p.Name]
		total := 0
		for _, c := range slices.Sorted(maps.Keys(here)) {
			total += here[c]
			gone := here[c] * churn.GonePercent / 100
			here[c] -= gone
			f.freeOn(day.AddDays(life.NoticeDays+life.PurgeDays), c, gone)
		}
		lack := 0
		for range (total*churn.NewPercent + 99) / 100 {
			into := slices.MaxFunc(p.Contexts, func(x, y schoolmail.ContextID) int {
				return cmp.Or(f.room[x]-f.users[x]-f.room[y]+f.users[y], int(y-x))
			})
			if f.users[into] >= f.room[into] {
				lack++
				continue
			}
			f.users[into]++
			here[into]++
		}
		if lack > 0 {
			short = append(short, Shortage{Population: p.Name, Day: day, People: lack, Declare: f.next})
			f.next++
		}
	}
	return short
}

// WriteText writes the outlook for a terminal.
func (o *Outlook) WriteText(w io.Writer) error {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "context\tof\tnow\tplanned\t")
	for _, d := range o.Days {
		fmt.Fprintf(tw, "%s\t", d.String()[2:])
	}
	fmt.Fprintln(tw)
	for _, c := range o.Contexts {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t", cmp.Or(c.Name, fmt.Sprint(c.Context)), c.Capacity, c.Now, c.Planned)
		for _, n := range c.Users {
			fmt.Fprintf(tw, "%d\t", n)
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
	b.WriteString("\nPeople come and go on")
	for _, d := range o.Terms {
		b.WriteString(" " + d.String())
	}
	b.WriteString(".\n")
	for _, c := range o.Contexts {
		if !c.Full.IsZero() {
			fmt.Fprintf(&b, "Context %s is full from %s on.\n", c.Name, c.Full)
		}
	}
	for _, s := range o.Short {
		fmt.Fprintf(&b, "! On %s %d people of the population %s find no seat: declare a context, for example id %d, "+
			"before.\n", s.Day, s.People, s.Population, s.Declare)
	}
	if len(o.Short) == 0 {
		b.WriteString("Everybody finds a seat through the year.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
